import { rootCertificates } from 'node:tls';
import { createAgent } from './agent.ts';
import { parseRetryAfter } from './http-errors.ts';
import { createLoginGate, type LoginGate } from './login-gate.ts';
import { OciError } from './oci-errors.ts';
import { createPause, type Pause } from './pause.ts';
import { dropBody } from './receive.ts';
import { readAll } from './verify.ts';
import { watchedFetch, type WatchedAnswer } from './watched-fetch.ts';
import { checkCredentials, pageInstead, webConnectionError, webStatusError, type WebDoing } from './web-errors.ts';
import { loginHeader, serverOf, type WebServer, type WebServers } from './web-servers.ts';

export interface WebRequest {
  readonly method: 'GET' | 'HEAD';
  readonly url: string;
  /** Statuses that are answers. Any other is an error. */
  readonly accept: readonly number[];
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface WebAnswer extends Pick<WatchedAnswer, 'response' | 'receive'> {
  readonly doing: WebDoing;
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
const maxErrorBytes = 1024 * 1024;
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

  const gates = new Map<string, LoginGate>();
  const gateOf = ({ origin, host }: URL): LoginGate => {
    const gate =
      gates.get(origin) ??
      createLoginGate({ server: host, code: 'WEB_FILE_UNAUTHORIZED', remedy: checkCredentials(host) });
    gates.set(origin, gate);
    return gate;
  };

  const send = async (request: WebRequest, url: URL, first: URL): Promise<WebAnswer> => {
    // As with registries: what proves who we are is shown to the very origin that was asked, and to none that it leads to.
    const login = url.origin === first.origin ? serverOf(servers, url)?.login : undefined;
    if (login === undefined) return sendOnce(request, url, first, undefined);
    const shown = await gateOf(url).show(async () => {
      const answer = await sendOnce(request, url, first, login);
      return { status: answer.response.status, answer };
    });
    return shown.answer;
  };

  const sendOnce = async (
    { method, url: address, headers, signal }: WebRequest,
    url: URL,
    first: URL,
    login: WebServer['login'],
  ): Promise<WebAnswer> => {
    const own = login === undefined ? {} : { authorization: loginHeader(login) };
    const doing: WebDoing = {
      what: `reading ${address}`,
      registry: url.host,
      hadLogin: login !== undefined,
      ...(url.host === first.host ? {} : { ledBy: first.host }),
    };
    const watched = { method, headers: { ...headers, ...own }, signal, stallMs, doing, agent: agentFor(url) };
    const answer = await watchedFetch(url, watched, (error) => webConnectionError(doing, error));
    return { ...answer, doing };
  };

  const pauses = new Map<string, Pause>();
  const pauseOf = (host: string): Pause => {
    const pause = pauses.get(host) ?? createPause();
    pauses.set(host, pause);
    return pause;
  };

  const sendFollowing = async (request: WebRequest): Promise<WebAnswer> => {
    const first = new URL(request.url);
    let url = first;
    for (let count = 0; ; count += 1) {
      const answer = await send(request, url, first);
      const location = answer.response.headers.get('location');
      if (!redirects.includes(answer.response.status) || location === null) return answer;
      dropBody(answer.receive());
      url = nextUrl(location, url, answer.doing, count);
    }
  };

  return {
    async ask(request) {
      const { host, pathname } = new URL(request.url);
      await pauseOf(host).wait(request.signal);
      const answer = await sendFollowing(request);
      const { response, doing, receive } = answer;
      const { status } = response;
      const contentType = response.headers.get('content-type') ?? '';
      if (request.accept.includes(status)) {
        if (!isPage(contentType) || isPage(pathname)) return answer;
        dropBody(receive());
        throw pageInstead(doing);
      }
      const body = await readAll(receive(), maxErrorBytes, doing.what, doing.registry).catch(() => '');
      if (status === 404 || status === 410) throw absentFile(request.url);
      const retryAfterMs = parseRetryAfter(response.headers.get('retry-after'), Date.now());
      const error = webStatusError(doing, { status, text: body.toString().slice(0, 1024), contentType, retryAfterMs });
      pauseOf(host).note(error);
      throw error;
    },
    close() {
      for (const agent of agents.values()) agent.destroy();
    },
  };
}

/** By type or by name. Files that are fetched are none, so a page is a login's, a proxy's, or says that nothing is there. */
function isPage(text: string): boolean {
  return /^text\/html\b|\.html?$/i.test(text);
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
