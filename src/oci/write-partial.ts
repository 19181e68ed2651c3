import type { FileHandle } from 'node:fs/promises';
import type { Readable } from 'node:stream';

/** Bytes gathered before they are handed to the disk: fewer, larger writes. */
const batchBytes = 1024 * 1024;

/**
 * Writes a stream into a file from a position on. `take` sees each piece first and may refuse it by throwing. One write is
 * under way while the next pieces come in, so that neither waits for the other; what was written is a whole piece of the
 * stream without holes, whenever it ends.
 */
export async function writeFrom(
  file: FileHandle,
  startByte: number,
  source: Readable,
  take: (chunk: Buffer) => void,
): Promise<void> {
  let position = startByte;
  let batch: Buffer[] = [];
  let size = 0;
  let writing: Promise<unknown> = Promise.resolve();
  const flush = async (): Promise<void> => {
    await writing;
    if (size === 0) return;
    writing = writeAll(file, batch, position, size);
    // The failure is thrown by the next `await writing`; until then nobody listens.
    writing.catch(() => undefined);
    position += size;
    batch = [];
    size = 0;
  };
  try {
    for await (const chunk of source as AsyncIterable<Buffer>) {
      take(chunk);
      batch.push(chunk);
      size += chunk.length;
      if (size >= batchBytes) await flush();
    }
  } finally {
    // Also after a failure: what came before it need not be fetched again.
    await flush();
    await writing;
  }
}

async function writeAll(file: FileHandle, batch: readonly Buffer[], position: number, size: number): Promise<void> {
  const { bytesWritten } = await file.writev(batch, position);
  if (bytesWritten === size) return;
  // A short write, as a full disk gives: the rest in one piece, which then fails with the reason.
  await file.write(Buffer.concat(batch, size), bytesWritten, size - bytesWritten, position + bytesWritten);
}
