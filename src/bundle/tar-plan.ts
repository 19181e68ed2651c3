import { splitDigest, type Digest } from '../oci/digest.ts';
import { blobPath } from '../oci/layout-reader.ts';
import type { BlobDescriptor } from '../oci/manifest.ts';
import { bundleUsage } from './bundle-errors.ts';

const blockBytes = 512;
/** Two blocks of zeros end a tar. */
export const endBytes = 2 * blockBytes;

/** A file of the tar: its header block, and where its content begins. */
export interface PlannedEntry {
  readonly name: string;
  readonly header: Buffer;
  readonly headerOffset: number;
  readonly offset: number;
  readonly sizeBytes: number;
}

export interface TarPlan {
  readonly head: readonly (PlannedEntry & { readonly content: Buffer })[];
  readonly blobs: ReadonlyMap<Digest, PlannedEntry>;
  /** Of the whole file, its end included. */
  readonly totalBytes: number;
}

/** Where everything lies, from names and sizes alone: the small files first, then the blobs in the order given. */
export function planTar(
  head: readonly { readonly name: string; readonly content: Buffer }[],
  blobs: readonly BlobDescriptor[],
): TarPlan {
  let at = 0;
  const place = (name: string, sizeBytes: number): PlannedEntry => {
    const entry = { name, header: tarHeader(name, sizeBytes), headerOffset: at, offset: at + blockBytes, sizeBytes };
    at = entry.offset + padded(sizeBytes);
    return entry;
  };
  const planned = head.map(({ name, content }) => ({ ...place(name, content.length), content }));
  const placed = new Map(blobs.map(({ digest, sizeBytes }) => [digest, place(pathOf(digest), sizeBytes)]));
  return { head: planned, blobs: placed, totalBytes: at + endBytes };
}

/** Bytes that a content takes in a tar. */
export function padded(sizeBytes: number): number {
  return Math.ceil(sizeBytes / blockBytes) * blockBytes;
}

/** A header of POSIX ustar with nothing in it that differs from machine to machine or from day to day. */
export function tarHeader(name: string, sizeBytes: number): Buffer {
  const header = Buffer.alloc(blockBytes);
  header.write(name, 0, 100);
  header.write('0000644\0', 100);
  header.write('0000000\0', 108);
  header.write('0000000\0', 116);
  writeSize(header, sizeBytes);
  header.write('00000000000\0', 136);
  header.write(' '.repeat(8), 148);
  header.write('0', 156);
  header.write('ustar\x0000', 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return header;
}

/** Octal digits hold less than 8 GiB; from there on GNU's binary form, which every tar reads. */
function writeSize(header: Buffer, sizeBytes: number): void {
  if (sizeBytes < 8 ** 11) {
    header.write(`${sizeBytes.toString(8).padStart(11, '0')}\0`, 124);
    return;
  }
  header[124] = 0x80;
  header.writeBigUInt64BE(BigInt(sizeBytes), 128);
}

/** A header of ustar has no room for the name of a SHA-512 blob; registries have none in practice. */
function pathOf(digest: Digest): string {
  if (splitDigest(digest).algorithm === 'sha256') return blobPath(digest);
  throw bundleUsage(
    'DIGEST_UNSUPPORTED',
    `a bundle keeps blobs by SHA-256 only, and ${digest.slice(0, 23)}… is not`,
    'push the image with SHA-256 digests',
  );
}
