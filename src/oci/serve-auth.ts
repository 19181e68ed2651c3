import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/**
 * Who may read: one account. `basic` asks for it with each request; `token` sends clients of the registry to `/token` for a token
 * first. Files are asked for with the account in both: apt, dnf, curl and chart repositories know nothing else.
 */
export interface ServeAccount {
  readonly scheme: 'basic' | 'token';
  readonly username: string;
  readonly password: string;
}

/** The account of a basic Authorization header, as `user:password`. */
function basicOf(header: string | undefined): string | undefined {
  const match = /^basic\s+([A-Za-z0-9+/=]+)$/i.exec(header ?? '');
  return match?.[1] === undefined ? undefined : Buffer.from(match[1], 'base64').toString();
}

/** Tells by the Authorization header whether a request may be answered. */
export interface Gate {
  readonly isOpen: (authorization: string | undefined, what: Asked) => boolean;
  /** The WWW-Authenticate header of a refusal; `origin` is the address that the client used. */
  readonly challenge: (origin: string, what: Asked) => string;
  /** The body of `/token`; undefined where the account is wrong, or where there are no tokens. */
  readonly issue: (authorization: string | undefined) => string | undefined;
}

/** What a request is for: the registry's API, or a file beside it. */
export type Asked = 'registry' | 'file';

const basicChallenge = 'Basic realm="installer"';
const lifetimeSeconds = 300;
const service = 'installer';

/** A gate for one account; tokens are good for five minutes, and for this process. */
export function createGate(account: ServeAccount, now: () => number = Date.now): Gate {
  const key = randomBytes(32);
  const sign = (text: string): string => createHmac('sha256', key).update(text).digest('base64url');
  const isAccount = (authorization: string | undefined): boolean => {
    const given = basicOf(authorization);
    return given !== undefined && equal(given, `${account.username}:${account.password}`);
  };
  if (account.scheme === 'basic') {
    return { isOpen: isAccount, challenge: () => basicChallenge, issue: () => undefined };
  }
  return {
    isOpen(authorization, what) {
      if (what === 'file') return isAccount(authorization);
      const [, expiry = '', signature = ''] = /^bearer\s+(\d+)\.([\w-]+)$/i.exec(authorization ?? '') ?? [];
      return expiry !== '' && equal(signature, sign(expiry)) && Number(expiry) > now();
    },
    challenge: (origin, what) =>
      what === 'file' ? basicChallenge : `Bearer realm="${origin}/token",service="${service}"`,
    issue(authorization) {
      if (!isAccount(authorization)) return undefined;
      const expiry = `${now() + lifetimeSeconds * 1000}`;
      const token = `${expiry}.${sign(expiry)}`;
      return JSON.stringify({ token, access_token: token, expires_in: lifetimeSeconds });
    },
  };
}

/** Compares in a time that does not tell where two texts differ. */
function equal(a: string, b: string): boolean {
  const digest = (text: string): Buffer => createHmac('sha256', 'compare').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
