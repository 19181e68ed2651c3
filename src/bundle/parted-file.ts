import type { Hash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { open, readdir, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { fileStream, readChunkBytes } from '../oci/layout-files.ts';
import type { OpenBlobOptions } from '../oci/store.ts';
import { bundleError } from './bundle-errors.ts';

/** One file, or several that are one when laid end to end. */
export interface PartedFile {
  readonly paths: readonly string[];
  readonly sizeBytes: number;
  /** Bytes from a position on; fewer than asked for at the end of the file. */
  read(position: number, length: number): Promise<Buffer>;
  write(chunks: readonly Buffer[], position: number): Promise<void>;
  stream(range: OpenBlobOptions): Readable;
  /** Feeds bytes to a hash, through one buffer: the cheapest way to look at much. Throws where the file ends before them. */
  digest(
    hash: Hash,
    range: { readonly startByte: number; readonly endByte: number },
    signal?: AbortSignal,
  ): Promise<void>;
  sync(): Promise<void>;
  close(): Promise<void>;
}

const hashChunkBytes = 1024 * 1024;

interface Part {
  readonly path: string;
  readonly file: FileHandle;
  readonly startByte: number;
  readonly endByte: number;
}

/** The paths of the parts of a file that is cut into pieces: `site.tar.001` and so on. */
export function partPaths(path: string, totalBytes: number, partBytes: number | undefined): string[] {
  if (partBytes === undefined) return [path];
  const count = Math.max(1, Math.ceil(totalBytes / partBytes));
  return Array.from({ length: count }, (_, index) => `${path}.${`${index + 1}`.padStart(3, '0')}`);
}

/**
 * The files that a path stands for: itself, or all parts where it names one of them or what they are parts of. Names that end in a number
 * are those of parts only where a part `.001` lies beside them: a file may as well have a date at the end. BUNDLE_PART_MISSING where one
 * in between is not there.
 */
export async function findParts(path: string): Promise<string[]> {
  const stem = /^(.*)\.\d{3,}$/s.exec(path)?.[1];
  if (stem !== undefined ? !existsSync(`${stem}.001`) : existsSync(path) || !existsSync(`${path}.001`)) return [path];
  const name = `${basename(stem ?? path)}.`;
  const folder = dirname(path);
  const numbers = (await readdir(folder).catch(() => []))
    .filter((file) => file.startsWith(name) && /^\d{3,}$/.test(file.slice(name.length)))
    .map((file) => Number(file.slice(name.length)))
    .sort((a, b) => a - b);
  const nameOf = (number: number): string => join(folder, `${name}${`${number}`.padStart(3, '0')}`);
  const missing = gapsIn(numbers).map(([first, last]) =>
    first === last ? nameOf(first) : `${nameOf(first)} to ${nameOf(last)}`,
  );
  if (missing.length > 0) throw partMissing(missing.join(', '));
  return numbers.map(nameOf);
}

/** Whether a file of this name could be taken for a part of something else. */
export function isPartName(path: string): boolean {
  return /\.\d{3}$/.test(path);
}

/** What is missing of the numbers from 1 to the largest, as first and last of each gap. The numbers rise. */
function gapsIn(numbers: readonly number[]): (readonly [number, number])[] {
  return numbers.flatMap((number, index) => {
    const before = numbers[index - 1] ?? 0;
    return number > before + 1 ? [[before + 1, number - 1] as const] : [];
  });
}

/** A part is not there. */
export function partMissing(which: string): Error {
  return bundleError(
    'PART_MISSING',
    `the bundle is not whole: ${which} is missing`,
    'copy all parts into one folder, with the names that they were made with',
  );
}

/** Opens files for reading as one. */
export async function openParts(paths: readonly string[]): Promise<PartedFile> {
  const parts: Part[] = [];
  try {
    for (const path of paths) {
      const file = await open(path, 'r');
      const { size } = await file.stat();
      const startByte = parts.at(-1)?.endByte ?? 0;
      parts.push({ path, file, startByte, endByte: startByte + size });
    }
  } catch (error) {
    await Promise.all(parts.map(({ file }) => file.close()));
    throw error;
  }
  return partedFile(parts);
}

/** Opens or makes files that are one of `totalBytes` together, for writing; they have their full length at once, as holes. */
export async function makeParts(
  paths: readonly string[],
  totalBytes: number,
  partBytes: number = totalBytes,
): Promise<PartedFile> {
  const parts: Part[] = [];
  for (const [index, path] of paths.entries()) {
    const startByte = index * partBytes;
    const endByte = Math.min(totalBytes, startByte + partBytes);
    const file = await open(path, 'a+', 0o644).then(async (made) => {
      await made.close();
      return open(path, 'r+');
    });
    const { size } = await file.stat();
    if (size !== endByte - startByte) await file.truncate(endByte - startByte);
    parts.push({ path, file, startByte, endByte });
  }
  return partedFile(parts);
}

function partedFile(parts: readonly Part[]): PartedFile {
  const sizeBytes = parts.at(-1)?.endByte ?? 0;
  const read = (position: number, length: number): Promise<Buffer> => {
    const end = Math.min(position + length, sizeBytes);
    return readInto(Buffer.allocUnsafe(Math.max(0, end - position)), position);
  };
  /** Fills the buffer; the part of it that was filled. */
  const readInto = async (buffer: Buffer, position: number): Promise<Buffer> => {
    const end = Math.min(position + buffer.length, sizeBytes);
    let done = 0;
    for (const { file, startByte, endByte } of parts) {
      while (position + done >= startByte && position + done < Math.min(end, endByte)) {
        const want = Math.min(end, endByte) - position - done;
        const { bytesRead } = await file.read(buffer, done, want, position + done - startByte);
        // The file became shorter under our hands.
        if (bytesRead === 0) return buffer.subarray(0, done);
        done += bytesRead;
      }
    }
    return buffer.subarray(0, done);
  };
  const [only] = parts;
  return {
    paths: parts.map(({ path }) => path),
    sizeBytes,
    read,
    async write(chunks, position) {
      let at = position;
      for (const run of splitAt(chunks, position, parts)) {
        const size = run.chunks.reduce((sum, { length }) => sum + length, 0);
        const { bytesWritten } = await run.part.file.writev(run.chunks, at - run.part.startByte);
        if (bytesWritten < size) {
          // A short write, as a full disk gives: the rest in one piece, which then fails with the reason.
          const rest = Buffer.concat(run.chunks, size).subarray(bytesWritten);
          await run.part.file.write(rest, 0, rest.length, at - run.part.startByte + bytesWritten);
        }
        at += size;
      }
    },
    stream({ startByte = 0, endByte = sizeBytes, signal }) {
      if (parts.length === 1 && only !== undefined) return fileStream(only.path, 0, { startByte, endByte, signal });
      return Readable.from(pieces(read, startByte, endByte, signal), { objectMode: false });
    },
    async digest(hash, { startByte, endByte }, signal) {
      const buffer = Buffer.allocUnsafe(Math.min(hashChunkBytes, endByte - startByte));
      for (let at = startByte; at < endByte;) {
        signal?.throwIfAborted();
        const piece = await readInto(buffer.subarray(0, Math.min(buffer.length, endByte - at)), at);
        if (piece.length === 0) throw new Error(`the file ends ${endByte - at} bytes too early`);
        hash.update(piece);
        at += piece.length;
      }
    },
    async sync() {
      for (const { file } of parts) await file.sync();
    },
    async close() {
      await Promise.all(parts.map(({ file }) => file.close()));
    },
  };
}

async function* pieces(
  read: PartedFile['read'],
  startByte: number,
  endByte: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<Buffer> {
  for (let at = startByte; at < endByte;) {
    signal?.throwIfAborted();
    const piece = await read(at, Math.min(readChunkBytes, endByte - at));
    if (piece.length === 0) throw new Error(`the file ends ${endByte - at} bytes too early`);
    yield piece;
    at += piece.length;
  }
}

/** Chunks by the part that they go to; one that goes over a border is cut there. */
function splitAt(
  chunks: readonly Buffer[],
  position: number,
  parts: readonly Part[],
): { readonly part: Part; readonly chunks: Buffer[] }[] {
  const runs: { part: Part; chunks: Buffer[] }[] = [];
  let at = position;
  for (const chunk of chunks) {
    for (let taken = 0; taken < chunk.length;) {
      const part = parts.find(({ startByte, endByte }) => at >= startByte && at < endByte);
      if (part === undefined) throw new RangeError(`byte ${at} is behind the end of the file`);
      const size = Math.min(chunk.length - taken, part.endByte - at);
      const last = runs.at(-1);
      const piece = chunk.subarray(taken, taken + size);
      if (last?.part === part) last.chunks.push(piece);
      else runs.push({ part, chunks: [piece] });
      taken += size;
      at += size;
    }
  }
  return runs;
}
