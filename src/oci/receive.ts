import { Readable } from 'node:stream';
import { connectionError, stalled, type Doing } from './http-errors.ts';
import { cutShort } from './oci-errors.ts';
import { watchStall } from './stall.ts';

export interface ReceiveOptions {
  readonly doing: Doing;
  /** Bytes to drop in front: of a server that sent the whole blob where a part was asked for. */
  readonly skipBytes: number;
  /** Bytes that the consumer shall get. */
  readonly expectedBytes: number;
  readonly stallMs: number;
  readonly abortReason: () => Error | undefined;
  readonly onClose: () => void;
}

/**
 * The body of a response as a stream whose errors are ours: cut off and stalled are told from each other, and a body that
 * ends too early is an error. The stall is the network's: a consumer may be as slow as it likes.
 */
export function receiveBody(body: Readable, options: ReceiveOptions): Readable {
  const { doing, expectedBytes, stallMs } = options;
  let skip = options.skipBytes;
  let received = 0;
  const watch = watchStall(
    stallMs,
    () => out.destroy(stalled(doing, stallMs)),
    () => body.isPaused(),
  );
  const out = new Readable({
    read() {
      body.resume();
    },
    destroy(error, done) {
      watch.stop();
      body.destroy();
      options.onClose();
      done(error);
    },
  });
  body.on('data', (data: Buffer) => {
    watch.refresh();
    let chunk = data;
    if (skip > 0) {
      chunk = data.subarray(skip);
      skip -= data.length - chunk.length;
      if (chunk.length === 0) return;
    }
    const left = expectedBytes - received;
    // Of an open range more may follow than was asked for; of a whole blob it is passed on, and found out.
    if (options.skipBytes > 0 && chunk.length > left) chunk = chunk.subarray(0, left);
    received += chunk.length;
    if (!out.push(chunk)) body.pause();
  });
  body.on('end', () => {
    if (received < expectedBytes) out.destroy(cutShort(doing.what, doing.registry, received, expectedBytes));
    else out.push(null);
  });
  body.on('error', (error) => out.destroy(options.abortReason() ?? connectionError(doing, error)));
  body.on('close', () => {
    if (!body.readableEnded && !out.destroyed) {
      out.destroy(options.abortReason() ?? cutShort(doing.what, doing.registry, received, expectedBytes));
    }
  });
  body.pause();
  return out;
}

/** Lets a body that nobody wants run out, so that its connection can be used again. */
export function dropBody(body: Readable): void {
  body.on('error', () => undefined).resume();
}
