import { rootCertificates } from 'node:tls';
import type { Readable } from 'node:stream';
import type { Response } from 'node-fetch';
import { createAgent, type ConnectionOptions } from './agent.ts';
import { connectionError, type Doing } from './http-errors.ts';
import { dropBody } from './receive.ts';
import { readAll } from './verify.ts';
import { watchedFetch, type UploadBody, type WatchedAnswer, type WatchedRequest } from './watched-fetch.ts';

/** One request as it was answered; for counting. */
export interface RequestEvent {
  readonly method: string;
  readonly url: string;
  /** 0 where no answer came. */
  readonly status: number;
}

/** A request on a single connection. */
export interface SingleRequest extends Pick<WatchedRequest, 'method'> {
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Bytes are sent again in another try; a stream goes once. */
  readonly body?: Uint8Array | UploadBody | undefined;
  /** For errors: `reading registry.k8s.io/pause:3.10`. */
  readonly what: string;
  readonly signal?: AbortSignal | undefined;
}

/** An answer. Its body is read with one of `text`, `bytes` and `receive`, or `discard` is called. */
export interface EndpointAnswer extends Pick<WatchedAnswer, 'receive'> {
  readonly status: number;
  readonly headers: Response['headers'];
  /** The address that answered, after redirects. */
  readonly url: string;
  text(): Promise<string>;
  /** The whole body, 32 MiB where nothing else is said; the same again where it is asked for again. */
  bytes(maxBytes?: number): Promise<Buffer>;
  /** Lets the body run out, so that its connection can be used again. */
  discard(): void;
  /** Ends the connection with it. */
  destroy(): void;
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
  return {
    async send(url, { method, headers = {}, body, what, signal }) {
      const now = doing(what);
      const watched = { method, headers, body, signal, stallMs, doing: now, agent: agentFor(url) };
      const tell = (status: number): void => onRequest?.({ method, url: url.href, status });
      const answer = await watchedFetch(url, watched, (error) => connectionError(now, error)).catch(
        (error: unknown) => {
          tell(0);
          throw error;
        },
      );
      tell(answer.response.status);
      return toAnswer(answer, url, now);
    },
    close() {
      for (const agent of agents.values()) agent.destroy();
    },
  };
}

/** Largest body that is no blob. */
const maxSmallBytes = 32 * 1024 * 1024;

function toAnswer({ response, receive, release }: WatchedAnswer, url: URL, doing: Doing): EndpointAnswer {
  let all: Promise<Buffer> | undefined;
  const whole = (maxBytes = maxSmallBytes): Promise<Buffer> =>
    (all ??= readAll(receive(), maxBytes, doing.what, doing.registry));
  return {
    status: response.status,
    headers: response.headers,
    url: url.href,
    receive,
    bytes: whole,
    text: async () => (await whole()).toString(),
    discard() {
      if (all === undefined) dropBody(receive());
    },
    destroy() {
      (response.body as Readable).destroy();
      release();
    },
  };
}
