import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Digest } from './digest.ts';
import type { BlobDescriptor } from './manifest.ts';
import { parseRange } from './serve-names.ts';
import type { ByteRange } from './store.ts';
import { readAll, verifying } from './verify.ts';

/** Largest blob that is held in memory until it is verified. */
const heldBytes = 1024 * 1024;

export interface BlobToSend {
  readonly blob: BlobDescriptor;
  readonly headers: Readonly<Record<string, string>>;
  /** The bytes as they are, unverified. */
  readonly open: (range: ByteRange) => Readable | Promise<Readable>;
}

/** Answers a GET or a HEAD for a blob, one range included. */
export type SendBlob = (request: IncomingMessage, response: ServerResponse, what: BlobToSend) => Promise<void>;

/**
 * Sends blobs so that no answer ends well with bytes that are not the blob's: a small one is verified before the answer begins (the error
 * is thrown, as of `verifying`), a large one on its way, and its connection ends before the last piece. Before a range of a large one the
 * whole is read, the first time that it is asked for in parts. `where` is for errors.
 */
export function blobSender(where: string): SendBlob {
  /** Large blobs that were right when they were read for a range. */
  const proven = new Map<Digest, Promise<void>>();

  const prove = ({ blob, open }: BlobToSend): Promise<void> => {
    const known = proven.get(blob.digest);
    if (known !== undefined) return known;
    const proof = (async () => {
      const bytes = verifying(await open({}), blob, where).resume();
      await new Promise((resolve, reject) => bytes.on('end', resolve).on('error', reject));
    })();
    proven.set(blob.digest, proof);
    proof.catch(() => proven.delete(blob.digest));
    return proof;
  };

  return async (request, response, what) => {
    const { blob, open } = what;
    const { digest, sizeBytes } = blob;
    const range = parseRange(request.headers.range, sizeBytes);
    if (range === 'invalid') {
      response.writeHead(416, { 'content-range': `bytes */${sizeBytes}`, 'content-length': 0 }).end();
      return;
    }
    const isWhole = range === 'whole';
    const { startByte, endByte } = isWhole ? { startByte: 0, endByte: sizeBytes } : range;
    const begin = (): ServerResponse =>
      response.writeHead(isWhole ? 200 : 206, {
        ...what.headers,
        etag: `"${digest}"`,
        'accept-ranges': 'bytes',
        ...(isWhole ? {} : { 'content-range': `bytes ${startByte}-${endByte - 1}/${sizeBytes}` }),
        'content-length': endByte - startByte,
      });
    if (request.method === 'HEAD') {
      begin().end();
    } else if (sizeBytes <= heldBytes) {
      const bytes = await readAll(verifying(await open({}), blob, where), heldBytes, digest, where);
      begin().end(bytes.subarray(startByte, endByte));
    } else if (isWhole) {
      const stream = verifying(await open({}), blob, where);
      begin();
      await pipeline(stream, response);
    } else {
      await prove(what);
      const stream = await open({ startByte, endByte });
      begin();
      await pipeline(stream, response);
    }
  };
}
