import type { Readable } from 'node:stream';
import fetch, { type RequestInit, type Response } from 'node-fetch';
import { abortReason } from '../lib/deadline.ts';
import { stalled, type Doing } from './http-errors.ts';
import { receiveBody, type ReceiveOptions } from './receive.ts';
import { watchStall } from './stall.ts';

/** A body that streams, and whether its own source is what it waits for. */
export interface UploadBody {
  readonly stream: Readable;
  readonly isWaitingForSource: () => boolean;
}

export interface WatchedRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly headers: Readonly<Record<string, string>>;
  /** Bytes, or a stream that goes once. */
  readonly body?: Uint8Array | UploadBody | undefined;
  readonly agent: NonNullable<RequestInit['agent']>;
  readonly signal: AbortSignal | undefined;
  /** Silence after which the connection counts as stalled. */
  readonly stallMs: number;
  /** For errors. */
  readonly doing: Doing;
}

/** The head of an answer. Its body is taken with `receive`, once, which watches it to its end. */
export interface WatchedAnswer {
  readonly response: Response;
  readonly receive: (range?: Pick<ReceiveOptions, 'skipBytes' | 'expectedBytes'>) => Readable;
  /** Ends what listens to the signal; for a body that is not received. */
  readonly release: () => void;
}

/**
 * One request on one connection; statuses are not judged, redirects not followed, nothing unpacked. Rejects with the signal's reason, with
 * OCI_STALLED, with what the source of the body says, or with `toError` of what the connection says.
 */
export async function watchedFetch(
  url: URL,
  { method, headers, body, agent, signal, stallMs, doing }: WatchedRequest,
  toError: (error: unknown) => Error,
): Promise<WatchedAnswer> {
  if (signal?.aborted === true) throw abortReason(signal);
  const controller = new AbortController();
  const upload = body !== undefined && 'stream' in body ? body : undefined;
  const stop = (reason: Error): void => {
    controller.abort(reason);
    upload?.stream.destroy();
  };
  const onAbort = (): void => {
    stop(abortReason(signal));
  };
  signal?.addEventListener('abort', onAbort, { once: true });
  const release = (): void => {
    signal?.removeEventListener('abort', onAbort);
  };
  const watch = watchStall(
    stallMs,
    () => stop(stalled(doing, stallMs)),
    () => upload?.isWaitingForSource() ?? false,
  );
  upload?.stream
    .on('data', () => {
      watch.refresh();
    })
    .pause();
  try {
    const response = await fetch(url, {
      method,
      headers: { 'user-agent': 'installer', ...headers },
      redirect: 'manual',
      compress: false,
      agent,
      signal: controller.signal,
      ...(body === undefined ? {} : { body: upload ? upload.stream : Buffer.from(body as Uint8Array) }),
    });
    const stream = response.body as Readable;
    // An error after nobody listens any more (a body that was dropped) is no matter.
    stream.on('error', () => undefined);
    const reason = (): Error | undefined =>
      controller.signal.aborted ? (controller.signal.reason as Error) : undefined;
    const common = { doing, stallMs, abortReason: reason, onClose: release };
    return {
      response,
      release,
      receive: (range = { skipBytes: 0, expectedBytes: 0 }) => receiveBody(stream, { ...common, ...range }),
    };
  } catch (error) {
    release();
    if (controller.signal.aborted) throw controller.signal.reason;
    // What the source of the body says goes before what the connection makes of it.
    throw upload?.stream.errored ?? toError(error);
  } finally {
    watch.stop();
  }
}
