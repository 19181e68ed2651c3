import { sleep } from '../lib/deadline.ts';
import { retry } from '../lib/retry.ts';
import type { ConnectionOptions } from './agent.ts';
import { basicHeader, createAuthorizer, type Authorizer } from './auth.ts';
import { parseChallenge, type Scopes } from './challenge.ts';
import type { CredentialSource } from './credentials.ts';
import { createSender, type EndpointAnswer, type RequestEvent, type SingleRequest } from './endpoint-send.ts';
import {
  codeOf,
  isPlainHttpAnswer,
  looksLikeHtml,
  notARegistry,
  parseRetryAfter,
  statusError,
  type Doing,
} from './http-errors.ts';
import { isTransient, OciError } from './oci-errors.ts';

/** How often and how long requests are tried. */
export interface Patience {
  /** Tries of one request, and of one blob without a byte of progress. */
  readonly attempts: number;
  readonly baseDelayMs: number;
  readonly maxDelayMs: number;
  /** Silence after which a connection counts as stalled. */
  readonly stallMs: number;
}

export const usualPatience: Patience = { attempts: 5, baseDelayMs: 250, maxDelayMs: 8000, stallMs: 60_000 };

export interface EndpointOptions {
  /** The registry as references name it. */
  readonly registry: string;
  /** Where it is asked: scheme, host and port, no path. */
  readonly baseUrl: string;
  readonly connection: ConnectionOptions;
  readonly credentials: CredentialSource;
  readonly patience: Patience;
  readonly onRequest?: ((event: RequestEvent) => void) | undefined;
}

/** A request to a registry. */
export interface EndpointRequest extends SingleRequest {
  /** A path from `/v2/` on with its query, or a whole address that the registry gave. */
  readonly target: string;
  readonly scopes: Scopes;
  /** Show user and password, not a token: for what a registry offers beside the distribution specification. */
  readonly asAccount?: boolean | undefined;
  /** Statuses that are answers. Any other is an error. */
  readonly accept: readonly number[];
  /** Tries of this request, where the patience of the endpoint is not meant. */
  readonly attempts?: number | undefined;
}

/** One address of a registry: authentication, redirects, retries and the errors of all of them. */
export interface Endpoint {
  readonly registry: string;
  readonly baseUrl: string;
  request(request: EndpointRequest): Promise<EndpointAnswer>;
  doing(what: string): Doing;
  close(): void;
}

const maxRedirects = 5;
const redirects: readonly number[] = [301, 302, 303, 307, 308];

/** Makes an endpoint. Nothing is asked before the first request. */
export function createEndpoint(options: EndpointOptions): Endpoint {
  const { registry, credentials, connection, patience, onRequest } = options;
  let { baseUrl } = options;
  let pausedUntil = 0;
  const doing = (what: string): Doing => {
    const { host } = new URL(baseUrl);
    return { what, registry: host === registry ? registry : `${registry} (at ${host})` };
  };
  const { send, close } = createSender({ connection, stallMs: patience.stallMs, onRequest, doing });

  /** Follows redirects; what proves who we are is not shown to another host. */
  const sendFollowing = async (url: URL, request: EndpointRequest, authorization?: string): Promise<EndpointAnswer> => {
    let current = url;
    for (let count = 0; ; count += 1) {
      const own = authorization !== undefined && current.origin === url.origin ? { authorization } : {};
      const answer = await send(current, { ...request, headers: { ...request.headers, ...own } });
      const location = answer.headers.get('location');
      const isRedirect = redirects.includes(answer.status) && location !== null;
      if (!isRedirect || (request.body !== undefined && 'stream' in request.body)) return answer;
      answer.discard();
      if (count >= maxRedirects) {
        throw new OciError({
          code: 'OCI_UNEXPECTED_STATUS',
          message: `${request.what}: ${registry} redirects in a circle`,
          remedy: `look at the settings of ${registry}`,
        });
      }
      current = new URL(location, current);
    }
  };

  let authorizer: Promise<Authorizer> | undefined;
  const getAuthorizer = (signal?: AbortSignal): Promise<Authorizer> => {
    authorizer ??= introduce(signal).catch((error: unknown) => {
      authorizer = undefined;
      throw error;
    });
    return authorizer;
  };

  const accountHeader = async (): Promise<string | undefined> => {
    const account = await credentials(registry);
    return account !== undefined && 'username' in account ? basicHeader(account) : undefined;
  };

  /** Asks `/v2/` once, to learn whether this is a registry and what it wants to see. */
  const introduce = async (signal?: AbortSignal): Promise<Authorizer> => {
    const what = `asking ${registry} for its API`;
    const ping = (): Promise<EndpointAnswer> => send(new URL('/v2/', baseUrl), { method: 'GET', what, signal });
    const answer = await persist({ attempts: patience.attempts, signal }, async () => {
      const first = await ping().catch((error: unknown) => {
        const cause = error instanceof OciError ? error.cause : undefined;
        if (connection.insecure !== true || !isPlainHttpAnswer(codeOf(cause))) throw error;
        baseUrl = baseUrl.replace(/^https:/, 'http:');
        return ping();
      });
      if ([200, 401, 403].includes(first.status)) return first;
      throw await failure(first, what, true);
    });
    const contentType = answer.headers.get('content-type') ?? '';
    const header = answer.headers.get('www-authenticate');
    const text = await answer.text();
    if (header === null && looksLikeHtml({ contentType, text })) throw notARegistry(doing(what), contentType);
    const challenge = answer.status === 200 || header === null ? undefined : parseChallenge(header);
    const account = challenge === undefined ? undefined : await credentials(registry);
    return createAuthorizer(registry, challenge, account, async ({ url, method, headers, body }) => {
      const request = {
        method,
        headers,
        what: `asking for a token of ${registry}`,
        ...(body === undefined ? {} : { body: Buffer.from(body) }),
      };
      const token = await persist({ attempts: patience.attempts }, async () => {
        const reply = await send(new URL(url, baseUrl), request);
        if (reply.status === 429 || reply.status >= 500)
          throw await failure(reply, request.what, account === undefined);
        return reply;
      });
      return { status: token.status, text: await token.text() };
    });
  };

  const failure = async (answer: EndpointAnswer, what: string, isAnonymous: boolean): Promise<OciError> => {
    const text = (await answer.text().catch(() => '')).slice(0, 64 * 1024);
    const contentType = answer.headers.get('content-type') ?? '';
    const retryAfterMs = parseRetryAfter(answer.headers.get('retry-after'), Date.now());
    return statusError(doing(what), { status: answer.status, text, contentType, retryAfterMs, isAnonymous });
  };

  const persist = async <T>(
    { attempts, signal }: { attempts: number; signal?: AbortSignal | undefined },
    work: () => Promise<T>,
  ): Promise<T> => {
    let wanted = 0;
    return retry(
      async () => {
        const pause = pausedUntil - Date.now();
        if (pause > 0) await sleep(pause, signal);
        return work();
      },
      {
        ...patience,
        attempts,
        signal,
        shouldRetry: isTransient,
        onRetry(error) {
          wanted = error instanceof OciError ? Math.min(error.retryAfterMs ?? 0, patience.stallMs) : 0;
          // Too much for one is too much for all: everybody waits.
          if (error instanceof OciError && error.code === 'OCI_TOO_MANY_REQUESTS') pausedUntil = Date.now() + wanted;
        },
        sleep: (ms, stop) => sleep(Math.max(ms, wanted), stop),
      },
    );
  };

  const request = async (wish: EndpointRequest): Promise<EndpointAnswer> => {
    const streams = wish.body !== undefined && 'stream' in wish.body;
    const attempts = streams ? 1 : (wish.attempts ?? patience.attempts);
    return persist({ attempts, signal: wish.signal }, async () => {
      const access = await getAuthorizer(wish.signal);
      const url = new URL(wish.target, baseUrl);
      const isOwn = url.origin === new URL(baseUrl).origin;
      const header = isOwn
        ? await (wish.asAccount === true ? accountHeader() : access.headerFor(wish.scopes))
        : undefined;
      let answer = await sendFollowing(url, wish, header);
      if (answer.status === 401 && !streams && wish.asAccount !== true && access.refused(header)) {
        answer.discard();
        answer = await sendFollowing(url, wish, await access.headerFor(wish.scopes));
      }
      try {
        if (wish.accept.includes(answer.status)) return answer;
        throw await failure(answer, wish.what, access.isAnonymous);
      } finally {
        // Of a body that was refused before its end nobody reads the rest; not before the answer has been read.
        if (wish.body !== undefined && 'stream' in wish.body) wish.body.stream.destroy();
      }
    });
  };

  return {
    registry,
    get baseUrl() {
      return baseUrl;
    },
    request,
    doing,
    close,
  };
}
