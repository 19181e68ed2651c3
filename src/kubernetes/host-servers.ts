import { readServers } from '../artifacts/servers.ts';
import { exitCodes, InstallerError } from '../errors.ts';
import { serverOf, type WebLogin } from '../oci/web-servers.ts';
import type { FetchServer } from '../ops/action.ts';
import { secretPlaceholder } from '../ops/secrets.ts';
import type { RepositoryAccess } from '../steps/repository-access.ts';
import { versionsOf, type Cluster } from './cluster.ts';

/**
 * Reads those of spec.artifacts.servers that hosts ask themselves: for release files in a run without a bundle, and for packages.
 * Passwords and tokens become values of placeholders. FILE_UNREADABLE, SECRET_UNREADABLE and REPOSITORY_PASSWORD (exit code 2).
 */
export async function readHostServers(cluster: Cluster, addSecret: (value: string) => void): Promise<void> {
  const { servers } = cluster.config.spec.artifacts;
  const ofPackages = repositoryUrls(cluster);
  const asked = new Set([...downloadUrls(cluster), ...ofPackages].map((url) => keyOf(servers, url)));
  const used = Object.fromEntries(Object.entries(servers).filter(([host]) => asked.has(host)));
  const read = await readServers(used, addSecret);
  const ofManagers = new Set(ofPackages.map((url) => keyOf(servers, url)));
  for (const [host, server] of Object.entries(read)) {
    cluster.servers[host] = server;
    const { login } = server;
    if (login === undefined) continue;
    const config = curlConfig(login);
    addSecret(config);
    cluster.secrets.set(curlSecret(host), config);
    if (!('username' in login) || !ofManagers.has(host)) continue;
    refuseUnfit(host, login.password);
    cluster.secrets.set(passwordSecret(host), login.password);
  }
}

/** What a host needs to fetch from these addresses, by host of the address; undefined where anybody may. */
export function fetchServers(
  cluster: Cluster,
  urls: readonly string[],
): Readonly<Record<string, FetchServer>> | undefined {
  const found = urls.flatMap((url): [string, FetchServer][] => {
    const key = keyOf(cluster.servers, url);
    const server = key === undefined ? undefined : cluster.servers[key];
    if (key === undefined || server === undefined) return [];
    const curl = server.login === undefined ? undefined : secretPlaceholder(curlSecret(key));
    return [[new URL(url).host, { ca: server.ca, curlConfig: curl }]];
  });
  return found.length === 0 ? undefined : Object.fromEntries(found);
}

/** What package managers need for the repositories of the cluster file, by name of the repository. */
export function repositoryAccess(cluster: Cluster): ReadonlyMap<string, RepositoryAccess> {
  const { repositories } = cluster.config.spec.hostSettings.packageRepositories;
  return new Map(
    repositories.flatMap(({ name, url }): [string, RepositoryAccess][] => {
      const key = keyOf(cluster.servers, url);
      const server = key === undefined ? undefined : cluster.servers[key];
      if (key === undefined || server === undefined) return [];
      const { ca, login } = server;
      const known =
        login !== undefined && 'username' in login
          ? { username: login.username, password: secretPlaceholder(passwordSecret(key)) }
          : undefined;
      return [[name, { ca, login: known }]];
    }),
  );
}

/** Whether hosts fetch release files from a server that only curl is let in to. */
export function needsCurl(cluster: Cluster): boolean {
  const { servers } = cluster.config.spec.artifacts;
  return downloadUrls(cluster).some((url) => keyOf(servers, url) !== undefined);
}

function downloadUrls(cluster: Cluster): readonly string[] {
  if (cluster.supply !== undefined || cluster.versions === undefined) return [];
  const { binaries, components } = versionsOf(cluster);
  return [...binaries, ...components].flatMap(({ url, checksumUrl }) => [url, checksumUrl ?? url]);
}

function repositoryUrls(cluster: Cluster): readonly string[] {
  return cluster.config.spec.hostSettings.packageRepositories.repositories.map(({ url }) => url);
}

/** The name under which the server of a URL stands. */
function keyOf(servers: Readonly<Record<string, unknown>>, url: string): string | undefined {
  return serverOf(Object.fromEntries(Object.keys(servers).map((host) => [host, host])), new URL(url));
}

function curlSecret(host: string): string {
  return `server-${Buffer.from(host).toString('hex')}-curl`;
}

function passwordSecret(host: string): string {
  return `server-${Buffer.from(host).toString('hex')}-password`;
}

/** Lines for `curl --config -`: nobody sees them in a list of processes, and curl keeps them for the host that is asked. */
export function curlConfig(login: WebLogin): string {
  const [option, value] =
    'token' in login ? ['oauth2-bearer', login.token] : ['user', `${login.username}:${login.password}`];
  const escapes: Readonly<Record<string, string>> = { '\\': '\\\\', '"': '\\"', '\n': '\\n', '\r': '\\r', '\t': '\\t' };
  return `${option} = "${value.replaceAll(/[\\"\n\r\t]/g, (sign) => escapes[sign] ?? sign)}"`;
}

/** Files of package managers have no way to write such a password down. */
function refuseUnfit(host: string, password: string): void {
  if (/^[^\s\p{Cc}]+$/u.test(password) && !/\$[{A-Za-z_]/.test(password)) return;
  throw new InstallerError({
    code: 'REPOSITORY_PASSWORD',
    message: `the password of server ${host} cannot be given to the package managers of hosts: it holds a blank, a control character or a "$" before a name`,
    remedy: 'give the account of the package repositories another password',
    exitCode: exitCodes.usage,
  });
}
