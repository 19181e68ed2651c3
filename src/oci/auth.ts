import { coversScopes, formatScopes, type Challenge, type Scopes } from './challenge.ts';
import type { Credentials } from './credentials.ts';
import { OciError } from './oci-errors.ts';
import { basicHeader } from '../lib/basic-auth.ts';

/** A request to a token service; made by whoever knows how requests are made. Status and body, or an error as of the client. */
export type TokenRequest = (request: {
  readonly url: string;
  readonly method: 'GET' | 'POST';
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}) => Promise<{ readonly status: number; readonly text: string }>;

/** Makes the Authorization header of requests to one registry. */
export interface Authorizer {
  /** The header for a request that needs these scopes; undefined where none is wanted. Fetches a token where there is none. */
  headerFor(scopes: Scopes): Promise<string | undefined>;
  /** Takes note that a header made before was refused; true where another attempt can bring another header. */
  refused(header: string | undefined): boolean;
  /** Whether this is what was made for such a challenge. */
  isFor(challenge: Challenge): boolean;
  /** For the error: whether there was somebody to say who we are. */
  readonly isAnonymous: boolean;
}

interface Token {
  readonly scopes: Scopes;
  readonly header: Promise<string>;
  readonly expiresAt: () => number;
  /** The header, once it is there. */
  readonly value: () => string | undefined;
}

/** Tokens without a lifetime live this long (distribution's token specification). */
const defaultLifetimeSeconds = 60;

/** An authorizer for what the registry asked for; `challenge` is undefined where it asked for nothing. */
export function createAuthorizer(
  registry: string,
  challenge: Challenge | undefined,
  credentials: Credentials | undefined,
  send: TokenRequest,
  now: () => number = Date.now,
): Authorizer {
  const isAnonymous = credentials === undefined;
  const isFor = (other: Challenge): boolean => JSON.stringify(other) === JSON.stringify(challenge);
  if (challenge === undefined) {
    return { isAnonymous, isFor, headerFor: () => Promise.resolve(undefined), refused: () => false };
  }
  if (challenge.scheme === 'basic') {
    const header = credentials && 'username' in credentials ? basicHeader(credentials) : undefined;
    return { isAnonymous, isFor, headerFor: () => Promise.resolve(header), refused: () => false };
  }
  let tokens: Token[] = [];
  const fetchToken = (scopes: Scopes): Token => {
    let expiresAt = Number.POSITIVE_INFINITY;
    let value: string | undefined;
    const header = requestToken(registry, challenge, credentials, scopes, send).then(({ token, lifetimeSeconds }) => {
      // A little before its time, for the request has to get there with it.
      expiresAt = now() + Math.max(lifetimeSeconds * 0.9, lifetimeSeconds - 30) * 1000;
      value = `Bearer ${token}`;
      return value;
    });
    const entry: Token = { scopes, header, expiresAt: () => expiresAt, value: () => value };
    header.catch(() => {
      tokens = tokens.filter((other) => other !== entry);
    });
    return entry;
  };
  return {
    isAnonymous,
    isFor,
    async headerFor(scopes) {
      tokens = tokens.filter((token) => token.expiresAt() > now());
      let token = tokens.find((have) => coversScopes(have.scopes, scopes));
      if (token === undefined) {
        token = fetchToken(scopes);
        tokens.push(token);
      }
      return token.header;
    },
    refused(header) {
      if (header === undefined) return false;
      tokens = tokens.filter((token) => token.value() !== header);
      return true;
    },
  };
}

async function requestToken(
  registry: string,
  { realm, service }: Extract<Challenge, { scheme: 'bearer' }>,
  credentials: Credentials | undefined,
  scopes: Scopes,
  send: TokenRequest,
): Promise<{ token: string; lifetimeSeconds: number }> {
  const parameters = new URLSearchParams(service === undefined ? {} : { service });
  const names = formatScopes(scopes);
  let answer;
  if (credentials !== undefined && 'identityToken' in credentials) {
    parameters.set('grant_type', 'refresh_token');
    parameters.set('client_id', 'installer');
    parameters.set('refresh_token', credentials.identityToken);
    if (names.length > 0) parameters.set('scope', names.join(' '));
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    answer = await send({ url: realm, method: 'POST', headers, body: parameters.toString() });
  } else {
    for (const name of names) parameters.append('scope', name);
    const url = new URL(realm);
    for (const [name, value] of parameters) url.searchParams.append(name, value);
    const headers: Record<string, string> =
      credentials === undefined ? {} : { authorization: basicHeader(credentials) };
    answer = await send({ url: url.href, method: 'GET', headers });
  }
  if (answer.status !== 200) throw tokenRefused(registry, realm, answer.status, credentials === undefined);
  return parseToken(answer.text, registry, realm);
}

function parseToken(text: string, registry: string, realm: string): { token: string; lifetimeSeconds: number } {
  let value: { token?: unknown; access_token?: unknown; expires_in?: unknown } | null;
  try {
    value = JSON.parse(text) as typeof value;
  } catch {
    value = null;
  }
  const token = value?.token ?? value?.access_token;
  if (typeof token !== 'string' || token === '') {
    throw new OciError({
      code: 'OCI_UNAUTHORIZED',
      message: `the token service of ${registry} (${realm}) gave no token`,
      remedy: 'check that nothing between here and there answers in its place',
    });
  }
  const lifetime = value?.expires_in;
  return { token, lifetimeSeconds: typeof lifetime === 'number' && lifetime > 0 ? lifetime : defaultLifetimeSeconds };
}

function tokenRefused(registry: string, realm: string, status: number, isAnonymous: boolean): OciError {
  return new OciError({
    code: status >= 500 ? 'OCI_SERVER_ERROR' : 'OCI_UNAUTHORIZED',
    message: `the token service of ${registry} (${realm}) answered ${status}`,
    remedy: isAnonymous ? `log in to ${registry}` : `check user and password for ${registry}`,
    status,
  });
}
