/** Epoch, version and release. An absent release (or version) matches every one. */
export interface Evr {
  readonly epoch: string;
  readonly version: string;
  readonly release: string;
}

/** Compares as rpm does: below, at or above 0. Of two where one has no release, releases do not count. */
export function compareEvr(a: Evr, b: Evr): number {
  const order = Number(a.epoch || 0) - Number(b.epoch || 0) || compareRpmVersions(a.version, b.version);
  if (order !== 0 || a.release === '' || b.release === '') return order;
  return compareRpmVersions(a.release, b.release);
}

/** `[epoch:]version[-release]`. */
export function parseEvr(text: string): Evr {
  const [, epoch = '0', version = '', release = ''] = /^(?:(\d+):)?([^-]*)(?:-(.*))?$/.exec(text) ?? [];
  return { epoch, version, release };
}

export function formatEvr({ epoch, version, release }: Evr): string {
  return `${epoch === '' || epoch === '0' ? '' : `${epoch}:`}${version}${release === '' ? '' : `-${release}`}`;
}

/**
 * Compares two versions or two releases. Runs of digits and of letters are compared in turn, digits count more than letters,
 * `~` sorts before the end and `^` right behind it. Source: rpm's manual, "rpm-version(7)".
 */
export function compareRpmVersions(a: string, b: string): number {
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    while (i < a.length && !isPart(a[i])) i++;
    while (j < b.length && !isPart(b[j])) j++;
    const [left, right] = [a[i], b[j]];
    if (left === '~' || right === '~') {
      if (left !== right) return left === '~' ? -1 : 1;
      i++;
      j++;
      continue;
    }
    if (left === '^' || right === '^') {
      if (left === right) {
        i++;
        j++;
        continue;
      }
      if (left === undefined) return -1;
      if (right === undefined) return 1;
      return left === '^' ? -1 : 1;
    }
    if (left === undefined || right === undefined) break;
    const pattern = isDigit(left) ? /^\d+/ : /^[A-Za-z]+/;
    const one = pattern.exec(a.slice(i))?.[0] ?? '';
    const other = pattern.exec(b.slice(j))?.[0] ?? '';
    // The runs are of different kinds: digits are newer.
    if (other === '') return isDigit(left) ? 1 : -1;
    const order = isDigit(left) ? compareNumbers(one, other) : one < other ? -1 : one > other ? 1 : 0;
    if (order !== 0) return order;
    i += one.length;
    j += other.length;
  }
  return Number(i < a.length) - Number(j < b.length);
}

function isPart(char: string | undefined): boolean {
  return char !== undefined && /[A-Za-z0-9~^]/.test(char);
}

function isDigit(char: string): boolean {
  return char >= '0' && char <= '9';
}

function compareNumbers(a: string, b: string): number {
  const [left, right] = [a.replace(/^0+/, ''), b.replace(/^0+/, '')];
  return left.length - right.length || (left < right ? -1 : left > right ? 1 : 0);
}
