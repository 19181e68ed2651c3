import type { WebLogin, WebServer } from '../oci/web-servers.ts';
import type { ClusterConfig, ServerCredentials } from '../spec/config.ts';
import { readSecret } from '../spec/secrets.ts';
import { readNamedFile } from './load-catalogs.ts';
import { basicCredentials } from '../lib/basic-auth.ts';

/**
 * Servers of the cluster file with the texts of its certificates and the values of its secrets. `addSecret` is told every one of them,
 * also in the form in which it goes over the wire. FILE_UNREADABLE and SECRET_UNREADABLE (exit code 2).
 */
export async function readServers(
  servers: ClusterConfig['spec']['artifacts']['servers'],
  addSecret: (value: string) => void,
  env?: NodeJS.ProcessEnv,
): Promise<Readonly<Record<string, WebServer>>> {
  const entries = Object.entries(servers).map(async ([host, { ca, credentials }]): Promise<[string, WebServer]> => [
    host,
    {
      ...(ca === undefined ? {} : { ca: await readNamedFile(ca, `CA of server ${host}`) }),
      ...(credentials === undefined ? {} : { login: await readLogin(host, credentials, addSecret, env) }),
    },
  ]);
  return Object.fromEntries(await Promise.all(entries));
}

async function readLogin(
  host: string,
  credentials: ServerCredentials,
  addSecret: (value: string) => void,
  env: NodeJS.ProcessEnv | undefined,
): Promise<WebLogin> {
  if ('token' in credentials) {
    const token = await readSecret(credentials.token, `the token of server ${host}`, env);
    addSecret(token);
    return { token };
  }
  const { username } = credentials;
  const password = await readSecret(credentials.password, `the password of server ${host}`, env);
  addSecret(password);
  addSecret(basicCredentials({ username, password }));
  return { username, password };
}
