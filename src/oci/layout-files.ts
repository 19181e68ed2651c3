import { createReadStream } from 'node:fs';
import { open, readFile, stat, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { OpenBlobOptions } from './store.ts';

/** The files of an image layout, wherever they lie. Paths are relative, with slashes: `blobs/sha256/<hex>`. */
export interface LayoutFiles {
  readonly description: string;
  /** The size of a file in bytes; undefined where it is absent. */
  size(path: string): Promise<number | undefined>;
  /** A small file whole; undefined where it is absent. */
  read(path: string): Promise<Buffer | undefined>;
  /** Fills the memory from a position of a file that exists; how many bytes came. */
  readInto(path: string, memory: Buffer, position: number): Promise<number>;
  /** A part of a file that exists, as a stream. */
  open(path: string, options: OpenBlobOptions): Readable;
  close(): Promise<void>;
}

/** Bytes that one read of a file stream asks for. */
export const readChunkBytes = 256 * 1024;

/** The files below a directory. */
export function directoryFiles(root: string): LayoutFiles {
  return {
    description: root,
    async size(path) {
      return stat(join(root, path)).then((found) => (found.isFile() ? found.size : undefined), absent);
    },
    async read(path) {
      return readFile(join(root, path)).catch(absent);
    },
    async readInto(path, memory, position) {
      const file = await open(join(root, path), 'r');
      try {
        return await readFully(file, memory, position);
      } finally {
        await file.close();
      }
    },
    open: (path, options) => fileStream(join(root, path), 0, options),
    close: () => Promise.resolve(),
  };
}

/** Reads until the memory is full or the file ends; how many bytes came. */
export async function readFully(file: FileHandle, memory: Buffer, position: number): Promise<number> {
  let done = 0;
  while (done < memory.length) {
    const { bytesRead } = await file.read(memory, done, memory.length - done, position + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return done;
}

/** A range of a file as a stream; `offset` is where in the file byte 0 of the range's count lies. */
export function fileStream(
  path: string,
  offset: number,
  { startByte = 0, endByte, signal }: OpenBlobOptions,
): Readable {
  if (endByte !== undefined && endByte <= startByte) return Readable.from([]);
  return createReadStream(path, {
    highWaterMark: readChunkBytes,
    start: offset + startByte,
    ...(endByte === undefined ? {} : { end: offset + endByte - 1 }),
    ...(signal === undefined ? {} : { signal }),
  });
}

/** Undefined for an error that says that a file is not there; throws any other. */
export function absent(error: unknown): undefined {
  const { code } = error as NodeJS.ErrnoException;
  if (code !== 'ENOENT' && code !== 'ENOTDIR') throw error;
}
