import { readNamedFile } from '../artifacts/load-catalogs.ts';
import { dockerCredentials, fixedCredentials, type Credentials } from '../oci/credentials.ts';
import type { HostConfig, MirrorConfig, RegistryOptions } from '../oci/registry-config.ts';
import type { ClusterConfig } from '../spec/schema.ts';
import { readSecret } from '../spec/secrets.ts';
import { basicCredentials } from '../lib/basic-auth.ts';

/**
 * The mirrors, certificates and credentials of spec.runtime.registries as options of a registry client; other credentials are
 * those of `docker login`. `addSecret` is told every password. FILE_UNREADABLE and SECRET_UNREADABLE (exit code 2).
 */
export async function registryAccess(
  config: ClusterConfig,
  env: NodeJS.ProcessEnv,
  addSecret: (value: string) => void,
): Promise<RegistryOptions> {
  const hosts: Record<string, HostConfig & { mirrors: MirrorConfig[] }> = {};
  const known: Record<string, Credentials> = {};
  for (const [registry, settings] of Object.entries(config.spec.runtime.registries)) {
    const ca = settings.ca === undefined ? undefined : await readNamedFile(settings.ca, `CA of registry ${registry}`);
    const access: HostConfig = { ...(ca === undefined ? {} : { ca }), insecure: settings.insecure };
    const mirrors: MirrorConfig[] = [];
    for (const address of settings.mirrors) {
      const { host, protocol, pathname } = new URL(address);
      // As containerd reads it: the API is below the path, and a path that ends in /v2 is the API's own.
      const path = pathname.replace(/\/+$/, '').replace(/\/v2$/, '');
      mirrors.push({ ...access, host, path, plainHttp: protocol === 'http:' });
    }
    hosts[registry] = { ...access, mirrors };
    if (settings.credentials === undefined) continue;
    const { username, password: source } = settings.credentials;
    const password = await readSecret(source, `the password of registry ${registry}`, env);
    addSecret(password);
    addSecret(basicCredentials({ username, password }));
    for (const host of [registry, ...mirrors.map((mirror) => mirror.host)]) known[host] = { username, password };
  }
  const credentials = fixedCredentials(known, dockerCredentials(env));
  return { hosts, credentials, proxyEnv: env };
}
