import type { Hash } from 'node:crypto';
import { InstallerError } from '../errors.ts';
import { hashFor } from './digest.ts';
import type { BlobDescriptor } from './manifest.ts';
import type { OpenFrom, PutBlobOptions } from './store.ts';
import { checkBlob } from './verify.ts';
import { writeFrom, type WriteBatch } from './write-partial.ts';

/** A place in a file that holds the beginning of a blob, or nothing of it. */
export interface BlobPlace {
  /** So many bytes are there. */
  readonly startByte: number;
  /** Gives the hash the bytes that are there; called where there are any. */
  readonly hashBefore: (hash: Hash) => Promise<void>;
  readonly write: WriteBatch;
}

/** Fetches and writes what is missing of a blob, and verifies the whole. Errors as of `checkBlob`, and those of the source and the disk. */
export async function fillBlob(
  { startByte, hashBefore, write }: BlobPlace,
  blob: BlobDescriptor,
  openFrom: OpenFrom,
  { signal, onBytes, onStart, from = 'the source' }: PutBlobOptions,
): Promise<void> {
  const hash = hashFor(blob.digest);
  if (startByte > 0) await hashBefore(hash);
  const check = checkBlob(blob, from, startByte, hash);
  onStart?.(startByte);
  if (startByte === blob.sizeBytes) return;
  const source = await openFrom(startByte, { signal });
  await writeFrom(
    source,
    startByte,
    (chunk) => {
      check.take(chunk);
      onBytes?.(chunk.length);
    },
    write,
  );
  check.finish();
}

const contentCodes: readonly string[] = ['OCI_WRONG_DIGEST', 'OCI_WRONG_SIZE', 'OCI_PARTIAL_DAMAGED'];

/** Wrong contents are of no use to anybody; of a lost connection the part that came is. */
export function isWrongContent(error: unknown): boolean {
  return error instanceof InstallerError && contentCodes.includes(error.code);
}
