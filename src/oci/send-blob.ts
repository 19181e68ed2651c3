import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Digest } from './digest.ts';
import type { BlobDescriptor } from './manifest.ts';
import { parseRange } from './serve-names.ts';
import { sendBytes, type ReadInto } from './send-bytes.ts';
import { checkBlob } from './verify.ts';

/** Largest blob that is held in memory until it is verified. */
const heldBytes = 1024 * 1024;
/** Largest blob that is read before its first byte is sent: a second or two, where clients wait a minute. */
const usualProvenBytes = 256 * 1024 * 1024;

export interface BlobToSend {
  readonly blob: BlobDescriptor;
  readonly headers: Readonly<Record<string, string>>;
  /** Fills the memory with bytes from a position on, as they are, unverified; returns how many came, 0 at the end. */
  readonly readInto: ReadInto;
}

/** Answers a GET or a HEAD for a blob, one range included. */
export type SendBlob = (request: IncomingMessage, response: ServerResponse, what: BlobToSend) => Promise<void>;

/**
 * Sends blobs so that no answer ends well with bytes that are not the blob's. One of up to `provenBytes` is read before its answer begins, the
 * first time, and the error is thrown, as of `verifying`: a client learns the reason, and keeps nothing of it. Every large one is verified
 * on its way, and its connection ends before the last piece; containerd keeps what came until then, and tries to go on from there. Before a range of
 * a large one the whole is read, the first time. `where` is for errors.
 */
export function blobSender(where: string, provenBytes = usualProvenBytes): SendBlob {
  /** Large blobs that were right when they were read. */
  const proven = new Map<Digest, Promise<void>>();

  const prove = ({ blob, readInto }: BlobToSend): Promise<void> => {
    const known = proven.get(blob.digest);
    if (known !== undefined) return known;
    const proof = readWhole(blob, verifyingReads(blob, where, readInto));
    proven.set(blob.digest, proof);
    proof.catch(() => proven.delete(blob.digest));
    return proof;
  };

  return async (request, response, what) => {
    const { blob, readInto } = what;
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
      const bytes = Buffer.allocUnsafe(sizeBytes);
      await readWhole(blob, verifyingReads(blob, where, readInto), bytes);
      begin().end(bytes.subarray(startByte, endByte));
    } else if (isWhole) {
      if (sizeBytes <= provenBytes) await prove(what);
      begin();
      // Also of a blob that was right before: the disk may have changed its mind.
      await sendBytes(response, { startByte, endByte }, verifyingReads(blob, where, readInto));
    } else {
      await prove(what);
      begin();
      await sendBytes(response, { startByte, endByte }, readInto);
    }
  };
}

/** Reads of a whole blob from its beginning on, one after the other: the one that completes other contents throws, and one at the end that comes too early. */
function verifyingReads(blob: BlobDescriptor, where: string, readInto: ReadInto): ReadInto {
  const check = checkBlob(blob, where);
  return async (memory, position) => {
    const size = await readInto(memory, position);
    check.take(memory.subarray(0, size));
    if (size === 0) check.finish();
    return size;
  };
}

/** Reads a blob to its end, into memory of its size or through a small piece. */
async function readWhole({ sizeBytes }: BlobDescriptor, readInto: ReadInto, bytes?: Buffer): Promise<void> {
  const memory = bytes ?? Buffer.allocUnsafeSlow(heldBytes);
  for (let at = 0; at < sizeBytes;) {
    const room = bytes === undefined ? memory.subarray(0, sizeBytes - at) : memory.subarray(at);
    const size = await readInto(room, at);
    if (size === 0) return;
    at += size;
  }
}
