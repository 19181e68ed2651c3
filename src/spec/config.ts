import type { HostSettingsConfig } from './host-settings.ts';
import type { BundleExtras } from './bundle-extras.ts';
import type { OsPackagesConfig } from './os-packages.ts';

export type { HostSettingsConfig, PackageRepositories, PackageRepository } from './host-settings.ts';
export type { BundleExtras, ChartSource, FileSource } from './bundle-extras.ts';
export type { OsDistribution, OsPackagesConfig, OsRepository } from './os-packages.ts';

/** Any value that JSON can hold; the free-form overrides are made of these. */
export type JsonValue = string | number | boolean | null | readonly JsonValue[] | { readonly [key: string]: JsonValue };
export type JsonObject = Readonly<Record<string, JsonValue>>;

/** Where a secret is read from when it is needed; the cluster file never holds the secret itself. Files are absolute paths. */
export type SecretSource = { readonly env: string } | { readonly file: string };

export const knownHostsPolicies = ['strict', 'accept-new'] as const;
export type KnownHostsPolicy = (typeof knownHostsPolicies)[number];

export const hostRoles = ['control-plane', 'worker'] as const;
export type HostRole = (typeof hostRoles)[number];

export const taintEffects = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'] as const;
export type TaintEffect = (typeof taintEffects)[number];

export const networkPlugins = ['flannel', 'none'] as const;
export type NetworkPlugin = (typeof networkPlugins)[number];

/** What holds where neither a host nor spec.ssh says otherwise. */
export const sshDefaults = {
  user: 'root',
  port: 22,
  knownHosts: { policy: 'strict', file: '~/.ssh/known_hosts' },
  connectTimeoutSeconds: 10,
} as const;

/** Port of the API server where controlPlaneEndpoint gives none. */
export const defaultApiPort = 6443;

/** Free space in GiB by path, where the path is a mount of its own: that of the guides for production, and what the others need. */
const diskFreeGiB = {
  '/': 150,
  '/opt': 30,
  '/usr/local': 3,
  '/var/lib': 50,
  '/var/lib/containerd': 100,
  '/var/lib/etcd': 10,
  '/var/lib/kubelet': 20,
} as const;

export type DiskPath = keyof typeof diskFreeGiB;
export const diskPaths = Object.keys(diskFreeGiB) as readonly DiskPath[];

/** What checks compare with where the file says nothing; the schema says what each number means. */
export const checkThresholds = {
  cpuCores: 2,
  workerCpuCores: 2,
  recommendedCpuCores: 4,
  controlPlaneMemoryMiB: 1700,
  workerMemoryMiB: 1700,
  recommendedMemoryMiB: 8192,
  diskFreeGiB,
  diskFloorGiB: 3,
  clockSkewMs: 1000,
  roundTripMs: 30,
  resolverMs: 1000,
  fsyncMs: 10,
  bandwidthMbits: 1000,
  diskIops: 500,
  diskMBs: 200,
} as const;

/** What is measured where the file asks for it: it loads links and disks for seconds. */
export const measurements = ['bandwidth', 'disk'] as const;
export type Measurement = (typeof measurements)[number];

export interface Thresholds extends Readonly<Record<Exclude<keyof typeof checkThresholds, 'diskFreeGiB'>, number>> {
  readonly diskFreeGiB: Readonly<Record<DiskPath, number>>;
}

export interface ChecksConfig {
  readonly ignore: readonly string[];
  readonly severities: Readonly<Record<string, 'error' | 'warning' | 'info'>>;
  readonly thresholds: Thresholds;
  readonly measure: readonly Measurement[];
  /** True: images must lie on a file system with project quotas. */
  readonly projectQuota: boolean;
}

/** How one host is reached; all paths are absolute. */
export interface SshConfig {
  readonly user: string;
  readonly port: number;
  /** Absent: the agent of SSH_AUTH_SOCK, then the usual key files of the home folder. */
  readonly keyFile?: string;
  readonly knownHosts: { readonly policy: KnownHostsPolicy; readonly file: string };
  readonly sudoPassword?: SecretSource;
  readonly password?: SecretSource;
  readonly keyPassphrase?: SecretSource;
  readonly connectTimeoutSeconds: number;
  /** Through which the host is reached. */
  readonly bastion?: BastionConfig;
}

/** The login at a bastion; what its map leaves out is that of the settings it stands in. */
export interface BastionConfig extends Omit<SshConfig, 'sudoPassword' | 'bastion'> {
  readonly address: string;
}

/** A node taint; `value` is empty where the file gives `key:Effect`. */
export interface Taint {
  readonly key: string;
  readonly value: string;
  readonly effect: TaintEffect;
}

export interface HostConfig {
  /** Also the name of the Kubernetes node. */
  readonly name: string;
  /** IP or DNS name that SSH connects to. */
  readonly address: string;
  /** IP of the node inside the cluster; absent where `address` is a DNS name and the file gives none. */
  readonly internalAddress?: string;
  readonly roles: readonly HostRole[];
  readonly labels: Readonly<Record<string, string>>;
  readonly taints: readonly Taint[];
  /** spec.ssh with this host's own settings laid over it. */
  readonly ssh: SshConfig;
  /** True for the machine that the installer runs on: no SSH. */
  readonly local: boolean;
}

/** A host with a port; `host` is an IP (IPv6 without brackets) or a DNS name. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

export interface KubernetesConfig {
  /** vX.Y.Z; absent: the newest of the catalog. */
  readonly version?: string;
  /** Laid over the rendered KubeletConfiguration. */
  readonly kubelet: JsonObject;
  /** Laid over the rendered KubeProxyConfiguration. */
  readonly kubeProxy: JsonObject;
  readonly ignorePreflightErrors: readonly string[];
  readonly controlPlaneEndpoint?: Endpoint;
  readonly virtualAddress?: VirtualAddress;
}

/** An address beside that of its host: the control plane holds it, and it stays the same when the machine is replaced. */
export interface VirtualAddress {
  /** IPv4. */
  readonly address: string;
  /** Of the control plane; absent: the one that has the node address. */
  readonly interface?: string;
}

export interface NetworkConfig {
  readonly plugin: NetworkPlugin;
  /** One CIDR, or one of each IP family; the first family is the primary one. */
  readonly podSubnets: readonly string[];
  readonly serviceSubnets: readonly string[];
}

/** How the images of one upstream registry are reached. */
export interface RegistryConfig {
  /** Base URLs without a trailing slash, tried in this order before the upstream itself. */
  readonly mirrors: readonly string[];
  /** PEM file with the certificate authority of the registry and its mirrors. */
  readonly ca?: string;
  /** True: TLS certificates are not verified. */
  readonly insecure: boolean;
  readonly credentials?: { readonly username: string; readonly password: SecretSource };
}

export interface RuntimeConfig {
  readonly containerd: {
    /** Without a leading v, as containerd's releases are named; absent: the catalog's default. */
    readonly version?: string;
    /** Laid over the rendered config.toml. */
    readonly config: JsonObject;
  };
  /** By upstream registry host: `docker.io`, `registry.example.com:5000`. */
  readonly registries: Readonly<Record<string, RegistryConfig>>;
}

/** Who we are at a server of files. */
export type ServerCredentials =
  { readonly username: string; readonly password: SecretSource } | { readonly token: SecretSource };

/** How a server of files (downloads, charts, packages) is reached, where the usual way is not enough. */
export interface ServerConfig {
  /** PEM file with the certificate authority of the server. */
  readonly ca?: string;
  readonly credentials?: ServerCredentials;
}

export interface ArtifactsConfig {
  /** By download host: the base URL (no trailing slash) asked in its place. */
  readonly mirrors: Readonly<Record<string, string>>;
  /** By host in small letters, with a port where it is not the usual one: those that are really asked, mirrors included. */
  readonly servers: Readonly<Record<string, ServerConfig>>;
  /** Absolute paths of catalog files laid over the built-in ones, in this order. */
  readonly catalogs: readonly string[];
}

/** The cluster file after validation: defaults filled in, SSH settings merged per host, paths absolute. */
export interface ClusterConfig {
  readonly metadata: { readonly name: string };
  readonly spec: {
    /** The settings that hosts start from; `hosts[].ssh` is what applies to a host. */
    readonly ssh: SshConfig;
    readonly hosts: readonly HostConfig[];
    readonly kubernetes: KubernetesConfig;
    readonly network: NetworkConfig;
    readonly runtime: RuntimeConfig;
    readonly artifacts: ArtifactsConfig;
    readonly checks: ChecksConfig;
    readonly hostSettings: HostSettingsConfig;
    readonly osPackages: OsPackagesConfig;
    readonly bundle: BundleExtras;
  };
}
