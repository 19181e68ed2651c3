/**
 * Compares two Debian versions: below, at or above 0 as `a` is older, equal or newer. Source: Debian Policy, "5.6.12 Version"
 * (the sorting that dpkg does).
 */
export function compareDebianVersions(a: string, b: string): number {
  const [left, right] = [split(a), split(b)];
  return (
    left.epoch - right.epoch || comparePart(left.upstream, right.upstream) || comparePart(left.revision, right.revision)
  );
}

function split(version: string): { epoch: number; upstream: string; revision: string } {
  const colon = version.indexOf(':');
  const rest = version.slice(colon + 1);
  const dash = rest.lastIndexOf('-');
  return {
    epoch: colon < 0 ? 0 : Number(version.slice(0, colon)),
    upstream: dash < 0 ? rest : rest.slice(0, dash),
    // An absent revision is the same as 0.
    revision: dash < 0 ? '' : rest.slice(dash + 1),
  };
}

/** Non-digits and digits in turn; each run of non-digits by `order`, each run of digits by its number. */
function comparePart(a: string, b: string): number {
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    while ((i < a.length && !isDigit(a, i)) || (j < b.length && !isDigit(b, j))) {
      const difference = order(a, i) - order(b, j);
      if (difference !== 0) return difference;
      i++;
      j++;
    }
    const [left, right] = [digitsAt(a, i), digitsAt(b, j)];
    i += left.length;
    j += right.length;
    const difference = compareNumbers(left, right);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** `~` before the end, the end (and digits) before letters, letters before everything else. */
function order(text: string, index: number): number {
  if (index >= text.length || isDigit(text, index)) return 0;
  const char = text.charCodeAt(index);
  if (char === 0x7e) return -1;
  return isLetter(char) ? char : char + 256;
}

function isDigit(text: string, index: number): boolean {
  const char = text.charCodeAt(index);
  return char >= 0x30 && char <= 0x39;
}

function isLetter(char: number): boolean {
  return (char >= 0x41 && char <= 0x5a) || (char >= 0x61 && char <= 0x7a);
}

function digitsAt(text: string, index: number): string {
  let end = index;
  while (isDigit(text, end)) end++;
  return text.slice(index, end);
}

/** Numbers of any length, as dates in versions are. */
function compareNumbers(a: string, b: string): number {
  const [left, right] = [a.replace(/^0+/, ''), b.replace(/^0+/, '')];
  return left.length - right.length || (left < right ? -1 : left > right ? 1 : 0);
}
