import { basicHeader, isBasic } from '../lib/basic-auth.ts';
import { retry } from '../lib/retry.ts';
import type { ConnectionOptions } from './agent.ts';
import { createAuthorizer, type Authorizer } from './auth.ts';
import { parseChallenge, type Challenge, type Scopes } from './challenge.ts';
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
import { createLoginGate } from './login-gate.ts';
import { createPause } from './pause.ts';
import { isTransient, OciError, waitOf } from './oci-errors.ts';

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
  /** What goes in front of paths: `/artifacts` for an API at `/artifacts/v2/`. Nothing where it is not given. */
  readonly basePath?: string | undefined;
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
  /** The body is read within the try, so that it is asked for again where it breaks off; OCI_WRONG_SIZE where it has more bytes. */
  readonly maxBytes?: number | undefined;
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
  const { registry, credentials, connection, patience, onRequest, basePath = '' } = options;
  let { baseUrl } = options;
  const pause = createPause();
  const doing = (what: string): Doing => {
    const { host } = new URL(baseUrl);
    return { what, registry: host === registry ? registry : `${registry} (at ${host})` };
  };

  const gate = createLoginGate({
    server: registry,
    code: 'OCI_UNAUTHORIZED',
    remedy: `check user and password for ${registry}`,
  });
  const { send, close } = createSender({ connection, stallMs: patience.stallMs, onRequest, doing });

  /** Follows redirects; what proves who we are is not shown to another host. */
  const sendFollowing = async (url: URL, request: SingleRequest, authorization?: string): Promise<EndpointAnswer> => {
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
    const ping = (): Promise<EndpointAnswer> =>
      sendFollowing(new URL(`${basePath}/v2/`, baseUrl), { method: 'GET', what, signal });
    const answer = await persist({ attempts: patience.attempts, signal }, async () => {
      const first = await ping().catch((error: unknown) => {
        const cause = error instanceof OciError ? error.cause : undefined;
        if (connection.insecure !== true || !isPlainHttpAnswer(codeOf(cause))) throw error;
        baseUrl = baseUrl.replace(/^https:/, 'http:');
        return ping();
      });
      if (![200, 401, 403].includes(first.status)) throw await failure(first, what, true);
      await first.bytes();
      return first;
    });
    const contentType = answer.headers.get('content-type') ?? '';
    const header = answer.headers.get('www-authenticate');
    const text = await answer.text();
    if (header === null && looksLikeHtml({ contentType, text })) throw notARegistry(doing(what), contentType);
    return meet(answer.status === 200 || header === null ? undefined : parseChallenge(header));
  };

  const meet = async (challenge: Challenge | undefined): Promise<Authorizer> => {
    const account = challenge === undefined ? undefined : await credentials(registry);
    return createAuthorizer(registry, challenge, account, async ({ url, method, headers, body }) => {
      const request = {
        method,
        headers,
        what: `asking for a token of ${registry}`,
        ...(body === undefined ? {} : { body: Buffer.from(body) }),
      };
      const token = await persist({ attempts: patience.attempts }, async () => {
        const ask = (): Promise<EndpointAnswer> => send(new URL(url, baseUrl), request);
        const reply = await (account === undefined ? ask() : gate.show(ask));
        if (reply.status === 429 || reply.status >= 500)
          throw await failure(reply, request.what, account === undefined);
        await reply.bytes();
        return reply;
      });
      return { status: token.status, text: await token.text() };
    });
  };

  /**
   * How to show who we are after an answer of 401: with a token made anew, or as that answer asks for it, for many registries let everybody
   * read and ask only whoever writes. Undefined where there is nothing else to show.
   */
  const renewed = (
    used: Promise<Authorizer>,
    access: Authorizer,
    header: string | undefined,
    asked: string | null,
  ): Promise<Authorizer> | undefined => {
    if (authorizer !== undefined && authorizer !== used) return authorizer;
    if (access.refused(header)) return used;
    const challenge = asked === null ? undefined : parseChallenge(asked);
    if (challenge === undefined || access.isFor(challenge)) return undefined;
    authorizer = meet(challenge);
    return authorizer;
  };

  const failure = async (
    answer: EndpointAnswer,
    what: string,
    isAnonymous: boolean,
    mayPass = false,
  ): Promise<OciError> => {
    const text = (await answer.text().catch(() => '')).slice(0, 64 * 1024);
    const contentType = answer.headers.get('content-type') ?? '';
    const retryAfterMs = parseRetryAfter(answer.headers.get('retry-after'), Date.now());
    const said = { status: answer.status, text, contentType, retryAfterMs, isAnonymous, mayPass };
    const error = statusError(doing(what), said);
    pause.note(error);
    return error;
  };

  const persist = async <T>(
    { attempts, signal }: { attempts: number; signal?: AbortSignal | undefined },
    work: () => Promise<T>,
  ): Promise<T> => {
    return retry(
      async () => {
        await pause.wait(signal);
        return work();
      },
      {
        ...patience,
        attempts,
        signal,
        shouldRetry: isTransient,
        atLeastMs: waitOf,
      },
    );
  };

  const request = async (wish: EndpointRequest): Promise<EndpointAnswer> => {
    const streams = wish.body !== undefined && 'stream' in wish.body;
    const attempts = streams ? 1 : (wish.attempts ?? patience.attempts);
    return persist({ attempts, signal: wish.signal }, async () => {
      const used = getAuthorizer(wish.signal);
      let access = await used;
      const url = new URL(wish.target.startsWith('/') ? `${basePath}${wish.target}` : wish.target, baseUrl);
      const isOwn = url.origin === new URL(baseUrl).origin;
      const header = isOwn
        ? await (wish.asAccount === true ? accountHeader() : access.headerFor(wish.scopes))
        : undefined;
      const show = (shown: string | undefined): Promise<EndpointAnswer> => {
        const go = (): Promise<EndpointAnswer> => sendFollowing(url, wish, shown);
        return shown !== undefined && isBasic(shown) ? gate.show(go) : go();
      };
      let answer = await show(header);
      const next =
        answer.status === 401 && isOwn && wish.asAccount !== true
          ? renewed(used, access, header, answer.headers.get('www-authenticate'))
          : undefined;
      if (next !== undefined && !streams) {
        answer.discard();
        access = await next;
        answer = await show(await access.headerFor(wish.scopes));
      }
      try {
        if (wish.accept.includes(answer.status)) {
          if (wish.maxBytes !== undefined) await answer.bytes(wish.maxBytes);
          return answer;
        }
        // What has streamed is gone: it is for the caller to send it again.
        throw await failure(answer, wish.what, (await (next ?? used)).isAnonymous, next !== undefined && streams);
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
