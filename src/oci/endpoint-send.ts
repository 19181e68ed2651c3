import { rootCertificates } from 'node:tls';
import type { Readable } from 'node:stream';
import fetch, { type Response } from 'node-fetch';
import { abortReason } from '../lib/deadline.ts';
import { createAgent, type ConnectionOptions } from './agent.ts';
import { connectionError, stalled, type Doing } from './http-errors.ts';
import { watchStall } from './stall.ts';

/** One request as it was answered; for counting. */
export interface RequestEvent {
  readonly method: string;
  readonly url: string;
  /** 0 where no answer came. */
  readonly status: number;
}

/** A request on one connection. */
export interface SingleRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Bytes are sent again in another try; a stream goes once. */
  readonly body?: Uint8Array | UploadBody | undefined;
  /** For errors: `reading registry.k8s.io/pause:3.10`. */
  readonly what: string;
  readonly signal?: AbortSignal | undefined;
}

/** A body that streams, and whether its own source is what it waits for. */
export interface UploadBody {
  readonly stream: Readable;
  readonly isWaitingForSource: () => boolean;
}

/** An answer. Either its body is read with one of the two, or `discard` is called. */
export interface EndpointAnswer {
  readonly status: number;
  readonly headers: Response['headers'];
  /** The address that answered, after redirects. */
  readonly url: string;
  text(): Promise<string>;
  bytes(): Promise<Buffer>;
  /** The body, and what ends the watch over the request; called when the body is closed. */
  readonly body: Readable;
  readonly release: () => void;
  discard(): void;
}

/** Sends single requests, on connections that are kept. */
export interface Sender {
  /** One request on one connection; statuses are not judged, redirects not followed. Errors as of http-errors.ts. */
  readonly send: (url: URL, request: SingleRequest) => Promise<EndpointAnswer>;
  readonly close: () => void;
}

interface SenderOptions {
  readonly connection: ConnectionOptions;
  readonly stallMs: number;
  readonly onRequest: ((event: RequestEvent) => void) | undefined;
  /** What an error says of what was being done. */
  readonly doing: (what: string) => Doing;
}

/** Makes a sender. Nothing is asked before the first request. */
export function createSender({ connection, stallMs, onRequest, doing }: SenderOptions): Sender {
  const agents = new Map<string, ReturnType<typeof createAgent>>();
  const agentFor = ({ protocol }: URL): ReturnType<typeof createAgent> => {
    const agent = agents.get(protocol) ?? createAgent(protocol, connection, () => rootCertificates);
    agents.set(protocol, agent);
    return agent;
  };

  const send = async (url: URL, request: SingleRequest): Promise<EndpointAnswer> => {
    const controller = new AbortController();
    const { body, signal, what } = request;
    const stream = body !== undefined && 'stream' in body ? body : undefined;
    const stop = (reason: Error): void => {
      controller.abort(reason);
      stream?.stream.destroy();
    };
    const onAbort = (): void => {
      stop(abortReason(signal));
    };
    if (signal?.aborted === true) throw abortReason(signal);
    signal?.addEventListener('abort', onAbort, { once: true });
    const watch = watchStall(
      stallMs,
      () => stop(stalled(doing(what), stallMs)),
      () => stream?.isWaitingForSource() ?? false,
    );
    const refresh = (): void => {
      watch.refresh();
    };
    stream?.stream.on('data', refresh).pause();
    const release = (): void => {
      signal?.removeEventListener('abort', onAbort);
    };
    let response: Response;
    try {
      response = await fetch(url, {
        method: request.method,
        headers: { 'user-agent': 'installer', ...request.headers },
        redirect: 'manual',
        compress: false,
        agent: agentFor(url),
        signal: controller.signal,
        ...(body === undefined ? {} : { body: stream ? stream.stream : Buffer.from(body as Uint8Array) }),
      });
    } catch (error) {
      release();
      onRequest?.({ method: request.method, url: url.href, status: 0 });
      if (controller.signal.aborted) throw controller.signal.reason;
      // What the source of the body says goes before what the connection makes of it.
      const inner = stream?.stream.errored;
      throw inner ?? connectionError(doing(what), error);
    } finally {
      watch.stop();
    }
    onRequest?.({ method: request.method, url: url.href, status: response.status });
    return toAnswer(response, url, release, (error) => {
      if (controller.signal.aborted) return controller.signal.reason as Error;
      return connectionError(doing(what), error);
    });
  };

  return {
    send,
    close() {
      for (const agent of agents.values()) agent.destroy();
    },
  };
}

function toAnswer(
  response: Response,
  url: URL,
  release: () => void,
  toError: (error: unknown) => Error,
): EndpointAnswer {
  const body = response.body as Readable;
  // An error after nobody listens any more (a body that was dropped) is no matter.
  body.on('error', () => undefined);
  const whole = async (): Promise<Buffer> => {
    try {
      return Buffer.from(await response.arrayBuffer());
    } catch (error) {
      throw toError(error);
    } finally {
      release();
    }
  };
  return {
    status: response.status,
    headers: response.headers,
    url: url.href,
    body,
    release,
    bytes: whole,
    text: async () => (await whole()).toString(),
    discard() {
      release();
      body.resume();
    },
  };
}
