import { createHash } from 'node:crypto';
import { Readable, type Transform } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import xz from 'xz-decompress';
import { InstallerError } from '../errors.ts';
import type { Fetch } from './types.ts';

/** What a file has to be, as an index that was verified before says. */
export interface Expected {
  readonly url: string;
  readonly algorithm: 'sha256' | 'sha512';
  /** Lowercase hex. */
  readonly digest: string;
  /** Bytes; undefined where the index does not say. */
  readonly sizeBytes: number | undefined;
}

/** Index files are small beside what this allows: a server that never stops must not fill the memory. */
const maxIndexBytes = 2 * 1024 ** 3;

/** Whole content of a small file (an index of indexes), at most 64 MiB; undefined where there is none. */
export async function fetchSmall(fetch: Fetch, url: string): Promise<Buffer | undefined> {
  const stream = await fetch(url);
  if (stream === undefined) return undefined;
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of stream) {
    size += chunk.length;
    if (size > 64 * 1024 ** 2) throw unexpected(url, 'it is larger than 64 MiB');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/**
 * Yields the bytes as they come and throws REPOSITORY_CONTENT_WRONG behind the last one, or as soon as there are too many,
 * unless they are what was expected: a reader believes what it made of them only when it has read to the end.
 */
export async function* verified(source: AsyncIterable<Uint8Array>, expected: Expected): AsyncGenerator<Uint8Array> {
  const hash = createHash(expected.algorithm);
  let size = 0;
  for await (const chunk of source) {
    size += chunk.length;
    if (size > (expected.sizeBytes ?? maxIndexBytes))
      throw unexpected(expected.url, 'it is longer than its index says');
    hash.update(chunk);
    yield chunk;
  }
  if (expected.sizeBytes !== undefined && size !== expected.sizeBytes) {
    throw unexpected(expected.url, `it has ${size} bytes, its index says ${expected.sizeBytes}`);
  }
  const digest = hash.digest('hex');
  if (digest !== expected.digest) {
    throw unexpected(expected.url, `its ${expected.algorithm} is ${digest}, its index says ${expected.digest}`);
  }
}

/** Unpacks by the ending of the name: .gz, .xz, .zst; anything else is as it is. */
export async function* unpacked(source: AsyncIterable<Uint8Array>, url: string): AsyncGenerator<Uint8Array> {
  let size = 0;
  // An error of the source is its own; any other means that the packed data make no sense.
  let sourceError: Error | undefined;
  async function* observed(): AsyncGenerator<Uint8Array> {
    try {
      yield* source;
    } catch (error) {
      sourceError = error instanceof Error ? error : new Error(String(error));
      throw sourceError;
    }
  }
  try {
    for await (const chunk of decompressed(observed(), url)) {
      size += chunk.length;
      if (size > maxIndexBytes) throw unexpected(url, 'it unpacks to more than 2 GiB');
      yield chunk;
    }
  } catch (error) {
    if (sourceError !== undefined) throw sourceError;
    if (error instanceof InstallerError) throw error;
    throw unexpected(url, `it cannot be unpacked (${error instanceof Error ? error.message : String(error)})`);
  }
}

function decompressed(source: AsyncGenerator<Uint8Array>, url: string): AsyncIterable<Uint8Array> {
  if (url.endsWith('.gz')) return pump(source, createGunzip());
  if (url.endsWith('.zst')) return pump(source, createZstdDecompress());
  if (url.endsWith('.xz')) {
    const packed = Readable.toWeb(Readable.from(source)) as ConstructorParameters<typeof xz.XzReadableStream>[0];
    return new xz.XzReadableStream(packed) as ReadableStream<Uint8Array>;
  }
  return source;
}

function pump(source: AsyncIterable<Uint8Array>, through: Transform): AsyncIterable<Uint8Array> {
  const packed = Readable.from(source, { objectMode: false });
  packed.once('error', (error) => through.destroy(error));
  // A reader that stops early ends the source too.
  through.once('close', () => packed.destroy());
  return packed.pipe(through);
}

/** Joins chunks into one buffer, of which `sizeBytes` (where known) is set aside at once. */
export async function collect(source: AsyncIterable<Uint8Array>, sizeBytes = 1 << 20): Promise<Buffer> {
  let buffer = Buffer.allocUnsafeSlow(Math.min(sizeBytes, maxIndexBytes));
  let used = 0;
  for await (const chunk of source) {
    if (used + chunk.length > buffer.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(buffer.length * 2, used + chunk.length));
      buffer.copy(larger, 0, 0, used);
      buffer = larger;
    }
    buffer.set(chunk, used);
    used += chunk.length;
  }
  return buffer.subarray(0, used);
}

/** Gives the memory of what `collect` made back at once, not when somebody looks for garbage; it cannot be read any more. */
export function release(collected: Buffer): void {
  (collected.buffer as ArrayBuffer).transfer(0);
}

/** An index that cannot be what its repository published. */
export function unexpected(url: string, why: string): InstallerError {
  return new InstallerError({
    code: 'REPOSITORY_CONTENT_WRONG',
    message: `${url} is not what its repository published: ${why}`,
    remedy: 'try again in a few minutes: a mirror in the middle of its update looks like this; then use another mirror',
  });
}
