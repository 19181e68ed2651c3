import type { FileHandle } from 'node:fs/promises';
import type { Readable } from 'node:stream';

/** Bytes gathered before they are handed to the disk: fewer, larger writes. */
const batchBytes = 512 * 1024;

/**
 * Writes a stream into a file from a position on. `take` sees each piece first and may refuse it by throwing. One write is
 * under way while the next pieces come in, so that neither waits for the other, and no more than two batches are held. However
 * it ends, what was written is the beginning of the stream, without holes.
 */
export function writeFrom(
  file: FileHandle,
  startByte: number,
  source: Readable,
  take: (chunk: Buffer) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let position = startByte;
    let batch: Buffer[] = [];
    let size = 0;
    let isWriting = false;
    let isOver = false;
    let failure: { readonly error: Error } | undefined;

    const settle = (): void => {
      if (failure) reject(failure.error);
      else resolve();
    };
    /** Also after a failure of the source: what came before it need not be fetched again. */
    const flush = (): void => {
      isWriting = true;
      const [bytes, length, at] = [batch, size, position];
      batch = [];
      size = 0;
      position += length;
      writeAll(file, bytes, length, at).then(
        () => {
          isWriting = false;
          if (size >= batchBytes || (isOver && size > 0)) flush();
          else if (isOver) settle();
          if (!isOver) source.resume();
        },
        (error: unknown) => {
          isWriting = false;
          isOver = true;
          failure ??= { error: error as Error };
          source.destroy();
          settle();
        },
      );
    };
    const end = (error?: Error): void => {
      if (isOver) return;
      isOver = true;
      if (error) {
        failure = { error };
        source.destroy();
      }
      if (isWriting) return;
      if (size > 0) flush();
      else settle();
    };
    // Events and not an iterator: an iterator copies what has gathered into one piece.
    source.on('data', (chunk: Buffer) => {
      if (isOver) return;
      try {
        take(chunk);
      } catch (error) {
        end(error as Error);
        return;
      }
      batch.push(chunk);
      size += chunk.length;
      if (size < batchBytes) return;
      if (isWriting) source.pause();
      else flush();
    });
    source.on('end', () => {
      end();
    });
    source.on('error', end);
    source.on('close', () => {
      if (!source.readableEnded) end(new Error('the stream was closed before its end'));
    });
  });
}

async function writeAll(file: FileHandle, batch: readonly Buffer[], size: number, position: number): Promise<void> {
  const { bytesWritten } = await file.writev(batch, position);
  if (bytesWritten === size) return;
  // A short write, as a full disk gives: the rest in one piece, which then fails with the reason.
  await file.write(Buffer.concat(batch, size), bytesWritten, size - bytesWritten, position + bytesWritten);
}
