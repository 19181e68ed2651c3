import { isAbsolute, join, resolve } from 'node:path';
import { parseIp } from './cidr.ts';
import {
  type BastionConfig,
  type ClusterConfig,
  type HostConfig,
  type HostSettingsConfig,
  type KubernetesConfig,
  type OsDistribution,
  type RegistryConfig,
  type SecretSource,
  type ServerConfig,
  type SshConfig,
  defaultApiPort,
  sshDefaults,
} from './config.ts';
import { parseEndpoint, parseTaint } from './formats.ts';
import type { ClusterFile, SshFields } from './schema.ts';

/** Where relative paths and `~/` of a cluster file lead; both absolute. */
export interface PathBases {
  /** Folder of the cluster file. */
  readonly baseDir: string;
  readonly homeDir: string;
}

type FileHost = ClusterFile['spec']['hosts'][number];
type FileDistribution = ClusterFile['spec']['osPackages']['distributions'][number];
type FileServers = ClusterFile['spec']['artifacts']['servers'];
type FileRegistry = ClusterFile['spec']['runtime']['registries'][string];

/** Fills in what depends on more than one field: merged SSH settings, derived addresses, absolute paths. */
export function normaliseClusterFile(file: ClusterFile, bases: PathBases): ClusterConfig {
  const { spec } = file;
  const knownHosts = { ...sshDefaults.knownHosts, file: resolvePath(sshDefaults.knownHosts.file, bases) };
  const ssh = laySsh({ ...sshDefaults, knownHosts }, spec.ssh, bases);
  return {
    metadata: { name: file.metadata.name },
    spec: {
      ssh,
      hosts: spec.hosts.map((host) => normaliseHost(host, ssh, bases)),
      kubernetes: normaliseKubernetes(spec.kubernetes),
      network: spec.network,
      checks: spec.checks,
      runtime: {
        containerd: withoutUndefined(spec.runtime.containerd),
        registries: mapValues(spec.runtime.registries, (registry) => normaliseRegistry(registry, bases)),
      },
      hostSettings: normaliseHostSettings(spec.hostSettings, bases),
      osPackages: {
        distributions: spec.osPackages.distributions.map((one) => normaliseDistribution(one, bases)),
      },
      bundle: {
        images: spec.bundle.images,
        files: spec.bundle.files,
        digests: spec.bundle.digests,
        charts: spec.bundle.charts.map(({ values, repository, digest, ...chart }) => ({
          ...chart,
          repository: trimSlashes(repository),
          ...withoutUndefined({ digest, values: values === undefined ? undefined : resolvePath(values, bases) }),
        })),
      },
      artifacts: {
        mirrors: mapValues(spec.artifacts.mirrors, trimSlashes),
        servers: normaliseServers(spec.artifacts.servers, bases),
        catalogs: spec.artifacts.catalogs.map((path) => resolvePath(path, bases)),
      },
    },
  };
}

/** `~` and `~/x` are in the home folder, other relative paths in the folder of the cluster file. */
export function resolvePath(path: string, bases: PathBases): string {
  if (path === '~' || path.startsWith('~/')) return join(bases.homeDir, path.slice(1));
  return isAbsolute(path) ? path : resolve(bases.baseDir, path);
}

function laySsh(under: SshConfig, over: SshFields, bases: PathBases): SshConfig {
  const own = layOwnSsh(under, over, bases);
  return over.bastion === undefined ? own : { ...own, bastion: layBastion(own, over.bastion, bases) };
}

/** The user, key and known hosts of the hosts are taken where it names none; never their port and password. */
function layBastion(
  { user, keyFile, keyPassphrase, knownHosts, connectTimeoutSeconds }: SshConfig,
  { address, ...over }: NonNullable<SshFields['bastion']>,
  bases: PathBases,
): BastionConfig {
  // A passphrase belongs to its key.
  const key = over.keyFile === undefined ? { keyFile, keyPassphrase } : {};
  const under = { port: sshDefaults.port, user, knownHosts, connectTimeoutSeconds, ...withoutUndefined(key) };
  return { ...layOwnSsh(under, over, bases), address };
}

function layOwnSsh(under: SshConfig, over: Omit<SshFields, 'bastion'>, bases: PathBases): SshConfig {
  const { knownHosts } = over;
  const file = knownHosts?.file === undefined ? under.knownHosts.file : resolvePath(knownHosts.file, bases);
  return {
    ...under,
    ...withoutUndefined({
      user: over.user,
      port: over.port,
      connectTimeoutSeconds: over.connectTimeoutSeconds,
      keyFile: over.keyFile === undefined ? undefined : resolvePath(over.keyFile, bases),
      password: toSecret(over.password, bases),
      sudoPassword: toSecret(over.sudoPassword, bases),
      keyPassphrase: toSecret(over.keyPassphrase, bases),
    }),
    knownHosts: { policy: knownHosts?.policy ?? under.knownHosts.policy, file },
  };
}

function normaliseHost(host: FileHost, ssh: SshConfig, bases: PathBases): HostConfig {
  const internalAddress = host.internalAddress ?? (parseIp(host.address) === undefined ? undefined : host.address);
  return {
    name: host.name,
    address: host.address,
    ...withoutUndefined({ internalAddress }),
    roles: host.roles,
    labels: host.labels,
    taints: host.taints.map(parseTaint),
    ssh: laySsh(ssh, host.ssh ?? {}, bases),
    local: host.local,
  };
}

function normaliseKubernetes(kubernetes: ClusterFile['spec']['kubernetes']): KubernetesConfig {
  const endpoint = kubernetes.controlPlaneEndpoint;
  const { kubelet, kubeProxy, ignorePreflightErrors, virtualAddress } = kubernetes;
  return {
    kubelet,
    kubeProxy,
    ignorePreflightErrors,
    ...withoutUndefined({
      version: kubernetes.version,
      controlPlaneEndpoint: endpoint === undefined ? undefined : parseEndpoint(endpoint, defaultApiPort),
      virtualAddress: virtualAddress === undefined ? undefined : withoutUndefined(virtualAddress),
    }),
  };
}

function normaliseRegistry(registry: FileRegistry, bases: PathBases): RegistryConfig {
  const password = toSecret(registry.credentials?.password, bases);
  return {
    mirrors: registry.mirrors.map(trimSlashes),
    insecure: registry.insecure,
    ...withoutUndefined({
      ca: registry.ca === undefined ? undefined : resolvePath(registry.ca, bases),
      credentials:
        registry.credentials === undefined || password === undefined
          ? undefined
          : { username: registry.credentials.username, password },
    }),
  };
}

function normaliseServers(servers: FileServers, bases: PathBases): Record<string, ServerConfig> {
  const entries = Object.entries(servers).map(([host, { ca, credentials }]): [string, ServerConfig] => {
    const token = toSecret(credentials?.token, bases);
    const password = toSecret(credentials?.password, bases);
    const username = credentials?.username;
    const login = username === undefined || password === undefined ? undefined : { username, password };
    return [
      host.toLowerCase(),
      withoutUndefined({
        ca: ca === undefined ? undefined : resolvePath(ca, bases),
        credentials: token === undefined ? login : { token },
      }),
    ];
  });
  return Object.fromEntries(entries);
}

function normaliseHostSettings(settings: ClusterFile['spec']['hostSettings'], bases: PathBases): HostSettingsConfig {
  const { limits, journald, packageRepositories } = settings;
  const { timeZone, ntp, defaultTasksMax, transparentHugepages, ...plain } = settings;
  return {
    ...plain,
    ...withoutUndefined({ timeZone, ntp, defaultTasksMax, transparentHugepages }),
    limits: limits === undefined ? {} : withoutUndefined(limits),
    journald: journald === undefined ? {} : withoutUndefined(journald),
    packageRepositories: {
      exclusive: packageRepositories?.exclusive ?? false,
      repositories: (packageRepositories?.repositories ?? []).map((repository) => ({
        name: repository.name,
        url: trimSlashes(repository.url),
        suites: repository.suites,
        components: repository.components,
        signedIndex: repository.signedIndex,
        ...withoutUndefined({
          keyFile: repository.keyFile === undefined ? undefined : resolvePath(repository.keyFile, bases),
        }),
      })),
    },
  };
}

function normaliseDistribution(
  { id, version, groups, packages, keyFile, repositories }: FileDistribution,
  bases: PathBases,
): OsDistribution {
  const keyOf = (file: string | undefined): { keyFile?: string } =>
    withoutUndefined({ keyFile: file === undefined ? undefined : resolvePath(file, bases) });
  return {
    ...{ id, version, groups, packages },
    ...keyOf(keyFile),
    repositories: repositories.map(({ url, suites, components, allowUnsigned, keyFile: file }) => ({
      ...{ url: trimSlashes(url), suites, components, allowUnsigned },
      ...keyOf(file),
    })),
  };
}

function toSecret(
  source: { env?: string | undefined; file?: string | undefined } | undefined,
  bases: PathBases,
): SecretSource | undefined {
  if (source?.env !== undefined) return { env: source.env };
  return source?.file === undefined ? undefined : { file: resolvePath(source.file, bases) };
}

function trimSlashes(url: string): string {
  return url.replace(/\/+$/, '');
}

function mapValues<From, To>(map: Readonly<Record<string, From>>, change: (value: From) => To): Record<string, To> {
  return Object.fromEntries(Object.entries(map).map(([key, value]) => [key, change(value)]));
}

type WithoutUndefined<T> = { [Key in keyof T as undefined extends T[Key] ? never : Key]: T[Key] } & {
  [Key in keyof T as undefined extends T[Key] ? Key : never]?: Exclude<T[Key], undefined>;
};

/** The same object without keys whose value is undefined. */
function withoutUndefined<T extends object>(object: T): WithoutUndefined<T> {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as WithoutUndefined<T>;
}
