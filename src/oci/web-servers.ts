import { basicHeader } from '../lib/basic-auth.ts';

/** Who we are at a server of files. */
export type WebLogin = { readonly username: string; readonly password: string } | { readonly token: string };

/** How a server of files is reached, where the usual way is not enough. */
export interface WebServer {
  /** PEM text of certificates to trust besides the usual ones. */
  readonly ca?: string | undefined;
  readonly login?: WebLogin | undefined;
}

/** By host in small letters, with a port where it is not the usual one. */
export type WebServers = Readonly<Record<string, WebServer>>;

/** What is said of the server of a URL; a key may name the usual port, too. */
export function serverOf<T>(servers: Readonly<Record<string, T>>, url: URL): T | undefined {
  const port = url.port === '' ? (url.protocol === 'https:' ? '443' : '80') : url.port;
  const key = [url.host, `${url.hostname}:${port}`].find((name) => Object.hasOwn(servers, name));
  return key === undefined ? undefined : servers[key];
}

/** The Authorization header of a login. */
export function loginHeader(login: WebLogin): string {
  return 'token' in login ? `Bearer ${login.token}` : basicHeader(login);
}
