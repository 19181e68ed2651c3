import { stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { InstallerError } from '../errors.ts';
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

/** That a disk has become full on the way, with the bytes that are missing; any other error as it is. */
export function namingDisk(error: unknown, path: string, totalBytes: number, doneBytes: number): unknown {
  if (!(error instanceof InstallerError) || error.code !== 'OCI_DISK_FULL') return error;
  return bundleError(
    'DISK_FULL',
    `the disk of ${dirname(path)} has become full: of ${formatSize(totalBytes)} ${formatSize(doneBytes)} are there, ${totalBytes - doneBytes} bytes are missing`,
    'make room and run the same command again: it goes on where it stopped',
    { cause: error },
  );
}
