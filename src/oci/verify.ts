import type { Hash } from 'node:crypto';
import { Transform, type Readable, type TransformCallback } from 'node:stream';
import { noteYoungGarbage } from '../lib/garbage.ts';
import { digestFrom, hashFor, splitDigest } from './digest.ts';
import type { BlobDescriptor } from './manifest.ts';
import { cutShort, wrongDigest, wrongSize } from './oci-errors.ts';

/** Counts and hashes the bytes of one blob as they pass, and says at the last one whether they are the blob's. */
export interface BlobCheck {
  /** Takes the next bytes. Throws OCI_WRONG_SIZE where they are too many, OCI_WRONG_DIGEST where the last one completes other contents. */
  take(chunk: Uint8Array): void;
  /** Throws OCI_CONNECTION_LOST where bytes are missing. */
  finish(): void;
  readonly sizeBytes: number;
}

/** A check for the blob; `hash` has already taken the first `startByte` bytes. `where` is for errors. */
export function checkBlob(blob: BlobDescriptor, where: string, startByte = 0, hash?: Hash): BlobCheck {
  const running = hash ?? hashFor(blob.digest);
  const { algorithm } = splitDigest(blob.digest);
  let sizeBytes = startByte;
  const complete = (): void => {
    const actual = digestFrom(algorithm, running);
    if (actual !== blob.digest) throw wrongDigest(blob.digest, where, actual, startByte);
  };
  if (sizeBytes === blob.sizeBytes) complete();
  return {
    get sizeBytes() {
      return sizeBytes;
    },
    take(chunk) {
      if (chunk.length === 0) return;
      sizeBytes += chunk.length;
      if (sizeBytes > blob.sizeBytes) throw wrongSize(blob.digest, where, sizeBytes, blob.sizeBytes);
      running.update(chunk);
      noteYoungGarbage(chunk.length);
      if (sizeBytes === blob.sizeBytes) complete();
    },
    finish() {
      if (sizeBytes < blob.sizeBytes) throw cutShort(blob.digest, where, sizeBytes, blob.sizeBytes);
    },
  };
}

/**
 * A stream that passes a whole blob on and fails where it is not the blob: before the last piece is passed on, so that whoever
 * reads to the end has the right bytes. Errors as of `BlobCheck`; `where` names the source.
 */
export function verifying(source: Readable, blob: BlobDescriptor, where: string): Readable {
  const check = checkBlob(blob, where);
  const transform = new Transform({
    transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback) {
      try {
        check.take(chunk);
        done(null, chunk);
      } catch (error) {
        done(error as Error);
      }
    },
    flush(done: TransformCallback) {
      try {
        check.finish();
        done();
      } catch (error) {
        done(error as Error);
      }
    },
    destroy(error, done) {
      source.destroy(error ?? undefined);
      done(error);
    },
  });
  source.on('error', (error) => transform.destroy(error));
  return source.pipe(transform);
}

/** All bytes of a small stream; OCI_WRONG_SIZE where there are more than `maxBytes`. */
export async function readAll(source: Readable, maxBytes: number, what: string, where: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of source as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes) {
      source.destroy();
      throw wrongSize(what, where, size, maxBytes);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}
