import { stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { InstallerError } from '../errors.ts';
import { bundleError, formatSize } from './bundle-errors.ts';

/** Bytes that may be written where a folder is, or will be. */
export async function freeBytesOf(folder: string): Promise<number> {
  let there = folder;
  while (there !== dirname(there) && (await sizeOf(there)) === undefined) there = dirname(there);
  const { bavail, bsize } = await statfs(there);
  return bavail * bsize;
}

/** Undefined where nothing is there. */
export async function sizeOf(path: string): Promise<number | undefined> {
  return stat(path).then(
    ({ size }) => size,
    () => undefined,
  );
}

/** Said before the first byte is written. */
export function diskTooSmall(folder: string, what: string, wanted: number, free: number): InstallerError {
  const missing = wanted - free;
  return bundleError(
    'DISK_TOO_SMALL',
    `${folder} has not enough room: ${what} needs ${formatSize(wanted)} more, ${formatSize(free)} are free, ${formatSize(missing)} (${missing} bytes) are missing`,
    'make room, or write it to another disk; nothing was written',
  );
}
