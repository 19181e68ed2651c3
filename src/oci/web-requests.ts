import { rootCertificates } from 'node:tls';
import fetch, { type Response } from 'node-fetch';
import { abortReason } from '../lib/deadline.ts';
import { createAgent } from './agent.ts';
import { parseRetryAfter, stalled } from './http-errors.ts';
import { OciError } from './oci-errors.ts';
import { watchStall } from './stall.ts';
import { webConnectionError, webStatusError, type WebDoing } from './web-errors.ts';
import { loginHeader, serverOf, type WebServers } from './web-servers.ts';

export interface WebRequest {
  readonly method: 'GET' | 'HEAD';
  readonly url: string;
  /** Statuses that are answers. Any other is an error. */
  readonly accept: readonly number[];
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** An answer; `release` ends the watch over the request, and is called when its body is not wanted any more. */
export interface WebAnswer {
  readonly response: Response;
  readonly doing: WebDoing;
  readonly release: () => void;
}

export interface WebRequests {
  /** Follows redirects. WEB_FILE_NOT_FOUND for 404 and 410; other errors name the host that answered last. */
  ask(request: WebRequest): Promise<WebAnswer>;
  close(): void;
}

interface WebRequestsOptions {
  readonly servers: WebServers;
  readonly proxyEnv: NodeJS.ProcessEnv | undefined;
  /** To one host at once. */
  readonly maxConnections: number;
  readonly stallMs: number;
}

const maxRedirects = 5;
const redirects: readonly number[] = [301, 302, 303, 307, 308];

/** Single requests to web servers; nothing is asked before the first. */
export function createWebRequests({ servers, proxyEnv, maxConnections, stallMs }: WebRequestsOptions): WebRequests {
  const agents = new Map<string, ReturnType<typeof createAgent>>();
  const agentFor = (url: URL): ReturnType<typeof createAgent> => {
    const ca = serverOf(servers, url)?.ca;
    // A certificate is trusted for the host that it was given for, and for no other.
    const key = ca === undefined ? url.protocol : url.origin;
    const agent =
      agents.get(key) ?? createAgent(url.protocol, { ca, proxyEnv, maxConnections }, () => rootCertificates);
    agents.set(key, agent);
    return agent;
  };

  const send = async (
    { method, url: address, headers, signal }: WebRequest,
    url: URL,
    first: URL,
  ): Promise<WebAnswer> => {
    // As with registries: what proves who we are is shown to the very origin that was asked, and to none that it leads to.
    const login = url.origin === first.origin ? serverOf(servers, url)?.login : undefined;
    const own = login === undefined ? {} : { authorization: loginHeader(login) };
    const doing: WebDoing = {
      what: `reading ${address}`,
      registry: url.host,
      hadLogin: login !== undefined,
      ...(url.host === first.host ? {} : { ledBy: first.host }),
    };
    const controller = new AbortController();
    const onAbort = (): void => {
      controller.abort(abortReason(signal));
    };
    if (signal?.aborted === true) throw abortReason(signal);
    signal?.addEventListener('abort', onAbort, { once: true });
    const release = (): void => {
      signal?.removeEventListener('abort', onAbort);
    };
    const watch = watchStall(stallMs, () => {
      controller.abort(stalled(doing, stallMs));
    });
    try {
      const response = await fetch(url, {
        method,
        headers: { 'user-agent': 'installer', ...headers, ...own },
        redirect: 'manual',
        compress: false,
        agent: agentFor,
        signal: controller.signal,
      });
      response.body?.on('error', () => undefined);
      return { response, doing, release };
    } catch (error) {
      release();
      if (controller.signal.aborted) throw controller.signal.reason;
      throw webConnectionError(doing, error);
    } finally {
      watch.stop();
    }
  };

  const sendFollowing = async (request: WebRequest): Promise<WebAnswer> => {
    const first = new URL(request.url);
    let url = first;
    for (let count = 0; ; count += 1) {
      const answer = await send(request, url, first);
      const location = answer.response.headers.get('location');
      if (!redirects.includes(answer.response.status) || location === null) return answer;
      answer.release();
      answer.response.body?.resume();
      url = nextUrl(location, url, answer.doing, count);
    }
  };

  return {
    async ask(request) {
      const answer = await sendFollowing(request);
      const { response, doing, release } = answer;
      const { status } = response;
      if (request.accept.includes(status)) return answer;
      const text = (await response.text().catch(() => '')).slice(0, 1024);
      release();
      if (status === 404 || status === 410) throw absentFile(request.url);
      const contentType = response.headers.get('content-type') ?? '';
      const retryAfterMs = parseRetryAfter(response.headers.get('retry-after'), Date.now());
      throw webStatusError(doing, { status, text, contentType, retryAfterMs });
    },
    close() {
      for (const agent of agents.values()) agent.destroy();
    },
  };
}

function nextUrl(location: string, from: URL, doing: WebDoing, count: number): URL {
  const next = URL.canParse(location, from.href) ? new URL(location, from) : undefined;
  const isWeb = next?.protocol === 'https:' || next?.protocol === 'http:';
  if (next === undefined || !isWeb || count >= maxRedirects) {
    throw new OciError({
      code: 'WEB_FILE_REDIRECT',
      message: `${doing.what}: ${doing.registry} ${isWeb ? 'redirects in a circle' : 'redirects to what is no web address'}`,
      remedy: 'check the address, and the mirror of that host in spec.artifacts.mirrors',
    });
  }
  // A user and password of somebody else's choice are no login of ours.
  next.username = '';
  next.password = '';
  return next;
}

function absentFile(url: string): OciError {
  return new OciError({
    code: 'WEB_FILE_NOT_FOUND',
    message: `${url} is not there`,
    remedy: 'check the version, and the mirror of that host in spec.artifacts.mirrors',
    status: 404,
  });
}
