import type { Readable } from 'node:stream';

/** Bytes gathered before they are handed to the disk: fewer, larger writes. What a killed process loses of each transfer. */
const batchBytes = 512 * 1024;

/** Memory of batches that were written, for the next ones. */
const free: Buffer[] = [];

/** What takes the bytes: a place in a file. One call at a time, each with what follows the one before. */
export type WriteBatch = (bytes: Buffer, position: number) => Promise<void>;

/**
 * Writes a stream from a position on. `take` sees each piece first and may refuse it by throwing. One write is under way while the
 * next pieces come in, so that neither waits for the other, and no more than a few batches are held. However it ends, what was
 * written is the beginning of the stream, without holes.
 */
export function writeFrom(
  source: Readable,
  startByte: number,
  take: (chunk: Buffer) => void,
  write: WriteBatch,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let position = startByte;
    const full: Buffer[] = [];
    let batch: Buffer | undefined;
    let size = 0;
    let isWriting = false;
    let isOver = false;
    let failure: { readonly error: Error } | undefined;

    /** Also after a failure of the source: what came before it need not be fetched again. */
    const nextBatch = (): Buffer | undefined => {
      const next = full.shift();
      if (next !== undefined || batch === undefined || !isOver) return next;
      const last = batch.subarray(0, size);
      batch = undefined;
      return last;
    };
    const goOn = (): void => {
      if (isWriting) return;
      const bytes = nextBatch();
      if (bytes === undefined) {
        if (failure) reject(failure.error);
        else if (isOver) resolve();
        return;
      }
      isWriting = true;
      write(bytes, position).then(
        () => {
          position += bytes.length;
          isWriting = false;
          recycle(bytes);
          if (!isOver && full.length === 0) source.resume();
          goOn();
        },
        (error: unknown) => {
          isOver = true;
          source.destroy();
          reject(failure?.error ?? (error as Error));
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
      goOn();
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
      for (let at = 0; at < chunk.length;) {
        if (batch === undefined) [batch, size] = [free.pop() ?? Buffer.allocUnsafeSlow(batchBytes), 0];
        const copied = chunk.copy(batch, size, at);
        at += copied;
        size += copied;
        if (size < batch.length) break;
        full.push(batch);
        batch = undefined;
      }
      goOn();
      if (full.length > 0) source.pause();
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

function recycle({ buffer, byteOffset }: Buffer): void {
  free.push(Buffer.from(buffer, byteOffset, batchBytes));
}
