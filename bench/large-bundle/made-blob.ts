import { createCipheriv, createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import type { Digest } from '../../src/oci/digest.ts';

const pieceBytes = 1024 * 1024;
/** Bytes that do not compress, the same in each run. */
const noise = createCipheriv('aes-256-ctr', Buffer.alloc(32, 1), Buffer.alloc(16)).update(Buffer.alloc(pieceBytes));

/** Contents that are made when they are read, so that many gigabytes need no disk. */
export interface MadeBlob {
  readonly digest: Digest;
  readonly sizeBytes: number;
  stream(startByte: number): Readable;
}

/** Noise whose every mebibyte begins with the seed and its own number. */
export function makeBlob(seed: number, sizeBytes: number): MadeBlob {
  const pieceAt = (number: number): Buffer => {
    const piece = Buffer.from(noise);
    piece.writeUInt32LE(seed, 0);
    piece.writeUInt32LE(number, 4);
    return piece.subarray(0, Math.min(pieceBytes, sizeBytes - number * pieceBytes));
  };
  function* pieces(startByte: number): Generator<Buffer> {
    for (let number = Math.floor(startByte / pieceBytes); number * pieceBytes < sizeBytes; number += 1) {
      const piece = pieceAt(number);
      yield piece.subarray(Math.max(0, startByte - number * pieceBytes));
    }
  }
  const hash = createHash('sha256');
  for (const piece of pieces(0)) hash.update(piece);
  return {
    digest: `sha256:${hash.digest('hex')}`,
    sizeBytes,
    stream: (startByte) => Readable.from(pieces(startByte), { objectMode: false, highWaterMark: pieceBytes }),
  };
}
