import { tryRun } from './commands.ts';

/** One thing in a host's file system. */
export interface FileRecord {
  readonly type: 'file' | 'directory' | 'link' | 'other';
  /** Octal digits, for example `755`. */
  readonly mode: string;
  /** Numbers of user and group, for example `0:0`. */
  readonly owner: string;
  readonly sizeBytes: number;
  /** Seconds since 1970, with fractions. */
  readonly mtime: string;
  /** Of a file's content. */
  readonly sha256?: string;
  readonly linkTarget?: string;
}

export interface SnapshotDifference {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly changed: readonly string[];
}

const volatile = ['proc', 'sys', 'dev', 'run', 'tmp'];

/**
 * Everything below a host's root by absolute path, without /proc, /sys, /dev and /run. Read from outside, so it works on a host
 * that is off, and what is only mounted inside is not seen, but for /tmp of a host that runs: `leader` is its init.
 */
export async function snapshotFiles(root: string, leader?: number): Promise<Map<string, FileRecord>> {
  const files = await snapshotTree(root);
  if (leader === undefined) return files;
  // A memory file system of the host's own.
  const temporary = await snapshotTree(`/proc/${leader}/root/tmp`);
  return new Map([...files, ...[...temporary].map(([path, record]) => [`/tmp${path}`, record] as const)]);
}

async function snapshotTree(root: string): Promise<Map<string, FileRecord>> {
  const skip = volatile.flatMap((name) => ['-path', `${root}/${name}`, '-o']).slice(0, -1);
  const find = ['find', root, '-mindepth', '1', '-xdev', '(', ...skip, ')', '-prune', '-o'];
  const listing = await list([...find, '-printf', String.raw`%P\0%y\0%m\0%U:%G\0%s\0%T@\0%l\0`]);
  const sums = await list(['sh', '-c', '"$@" | xargs -0 -r sha256sum -z', 'sh', ...find, '-type', 'f', '-print0']);
  return parseSnapshot(listing, sums, root);
}

/** Puts the listing of find (seven fields each) and the sums of sha256sum together. */
export function parseSnapshot(
  listing: readonly string[],
  sums: readonly string[],
  root: string,
): Map<string, FileRecord> {
  const sumOf = new Map(sums.map((line) => [line.slice(66 + root.length), line.slice(0, 64)]));
  const records = new Map<string, FileRecord>();
  for (let i = 0; i + 6 < listing.length; i += 7) {
    const [path = '', type = '', mode = '', owner = '', size = '', mtime = '', linkTarget = ''] = listing.slice(
      i,
      i + 7,
    );
    const sha256 = sumOf.get(`/${path}`);
    records.set(`/${path}`, {
      type: type === 'f' ? 'file' : type === 'd' ? 'directory' : type === 'l' ? 'link' : 'other',
      mode,
      owner,
      sizeBytes: Number(size),
      mtime,
      ...(sha256 === undefined ? {} : { sha256 }),
      ...(type === 'l' ? { linkTarget } : {}),
    });
  }
  return records;
}

/**
 * What differs between two snapshots, by path. A folder's size and time change with every temporary file and a file's time
 * with every rewrite of the same content, so they count only with `strict`.
 */
export function diffSnapshots(
  before: ReadonlyMap<string, FileRecord>,
  after: ReadonlyMap<string, FileRecord>,
  options: { readonly ignore?: readonly RegExp[]; readonly strict?: boolean } = {},
): SnapshotDifference {
  const seen = (path: string): boolean => !(options.ignore ?? []).some((pattern) => pattern.test(path));
  const identity = (record: FileRecord | undefined): string => {
    if (record === undefined) return '';
    if (options.strict) return JSON.stringify(record);
    const { type, mode, owner, sha256, linkTarget } = record;
    return JSON.stringify([type, mode, owner, sha256, linkTarget]);
  };
  return {
    added: [...after.keys()].filter((path) => seen(path) && !before.has(path)),
    removed: [...before.keys()].filter((path) => seen(path) && !after.has(path)),
    changed: [...before.keys()].filter(
      (path) => seen(path) && after.has(path) && identity(before.get(path)) !== identity(after.get(path)),
    ),
  };
}

async function list(argv: readonly string[]): Promise<string[]> {
  const [file = '', ...args] = argv;
  // A file may vanish while a running host is read: then its entry is missing, which is the truth.
  const { stdout } = await tryRun(file, args);
  return stdout.split('\0');
}
