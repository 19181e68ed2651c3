import { stringify } from 'smol-toml';
import { mergeDeep } from '../lib/merge.ts';
import { secretPlaceholder } from '../ops/secrets.ts';
import type { JsonObject, RegistryConfig } from '../spec/schema.ts';

export const containerdPaths = {
  config: '/etc/containerd/config.toml',
  registries: '/etc/containerd/certs.d',
  unit: '/etc/systemd/system/containerd.service',
  dropIn: '/etc/systemd/system/containerd.service.d/10-installer.conf',
} as const;

/** config.toml of containerd 2.x (configuration version 3), with the cluster file's overrides laid over it. */
export function renderContainerdConfig(
  sandboxImage: string,
  overrides: JsonObject,
  { usesApparmor = true }: { readonly usesApparmor?: boolean } = {},
): string {
  const base = {
    version: 3,
    root: '/var/lib/containerd',
    state: '/run/containerd',
    grpc: { address: '/run/containerd/containerd.sock' },
    plugins: {
      'io.containerd.cri.v1.images': {
        pinned_images: { sandbox: sandboxImage },
        registry: { config_path: containerdPaths.registries },
      },
      'io.containerd.cri.v1.runtime': {
        ...(usesApparmor ? {} : { disable_apparmor: true }),
        containerd: {
          default_runtime_name: 'runc',
          runtimes: { runc: { runtime_type: 'io.containerd.runc.v2', options: { SystemdCgroup: true } } },
        },
      },
    },
  };
  return `# Written by the installer; own settings go into spec.runtime.containerd.config of the cluster file.\n${stringify(mergeDeep(base, overrides))}\n`;
}

/** Docker Hub's images are named docker.io/… and served elsewhere; source: containerd's docs/hosts.md. */
function upstreamServer(registry: string): string {
  return registry === 'docker.io' ? 'https://registry-1.docker.io' : `https://${registry}`;
}

export interface RegistryFile {
  readonly path: string;
  readonly content: string;
  readonly mode: string;
}

/** Name of the secret that holds the Authorization header for a registry. */
export function registrySecretName(registry: string): string {
  return `registry-${registry.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')}`;
}

/** certs.d/<registry>/hosts.toml, and its ca.crt where the cluster file names one. `caText` is that file's content. */
export function renderRegistryFiles(
  registry: string,
  config: RegistryConfig,
  caText: string | undefined,
): RegistryFile[] {
  const folder = `${containerdPaths.registries}/${registry.replaceAll(':', '_')}`;
  const server = upstreamServer(registry);
  const settings = {
    capabilities: ['pull', 'resolve'],
    ...(caText === undefined ? {} : { ca: `${folder}/ca.crt` }),
    ...(config.insecure ? { skip_verify: true } : {}),
    ...(config.credentials === undefined
      ? {}
      : { header: { Authorization: secretPlaceholder(registrySecretName(registry)) } }),
  };
  // Without a host above them the settings are those of the upstream server, which is tried last.
  const host = Object.fromEntries(config.mirrors.map((address) => [address, settings]));
  const content = stringify({ server, ...settings, ...(config.mirrors.length === 0 ? {} : { host }) });
  return [
    { path: `${folder}/hosts.toml`, content: `${content}\n`, mode: config.credentials === undefined ? '644' : '600' },
    ...(caText === undefined ? [] : [{ path: `${folder}/ca.crt`, content: caText, mode: '644' }]),
  ];
}
