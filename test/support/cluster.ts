import { listAssets, readAsset } from '../../src/assets.ts';
import { parseCatalog, resolveVersions } from '../../src/artifacts/catalog.ts';
import type { Facts } from '../../src/hosts/facts.ts';
import type { Host } from '../../src/hosts/host.ts';
import { createCluster, type Cluster, type Member } from '../../src/kubernetes/cluster.ts';
import { parseClusterConfig } from '../../src/spec/load.ts';
import type { ClusterConfig } from '../../src/spec/schema.ts';

/** A cluster file of one control plane and two workers; `spec` is more YAML of its spec, indented by two. */
export function testConfig(spec = '', hosts = defaultHosts): ClusterConfig {
  const text = `apiVersion: installer.io/v1alpha1\nkind: ClusterConfig\nmetadata: { name: prod }\nspec:\n  hosts:\n${hosts}${spec}`;
  return parseClusterConfig(text, 'prod.yaml', '/etc/prod', '/home/ops');
}

const defaultHosts = `    - { name: cp1, address: 10.0.0.11, roles: [control-plane] }
    - { name: w1, address: 10.0.0.21, roles: [worker] }
    - { name: w2, address: 10.0.0.22, roles: [worker] }
`;

/** Facts of a host that passes every check; `index` makes what must be unique so. */
export function goodFacts(index: number, given: Partial<Facts> = {}): Facts {
  return {
    os: { id: 'ubuntu', idLike: ['debian'], versionId: '24.04', prettyName: 'Ubuntu 24.04' },
    kernel: '6.8.0-40-generic',
    architecture: 'amd64',
    hostname: `host${index}`,
    cpus: 8,
    memoryBytes: 16 * 1024 ** 3,
    machineId: `${index}`.repeat(32),
    productUuid: `uuid-${index}`,
    addresses: [
      { interface: 'lo', address: '127.0.0.1', prefixLength: 8 },
      { interface: 'eth0', address: `10.0.0.${index}`, prefixLength: 24 },
    ],
    routes: [{ destination: 'default', via: '10.0.0.1', interface: 'eth0' }],
    listeners: [{ protocol: 'tcp', address: '0.0.0.0', port: 22, process: 'sshd' }],
    clockMs: 1_900_000_000_000,
    askedAtMs: 1_900_000_000_000,
    roundTripMs: 0,
    systemdVersion: 255,
    cgroupVersion: 2,
    swaps: [],
    swapEntries: [],
    swapUnits: [],
    ownTimeServers: [],
    nameservers: ['10.0.0.2'],
    searchDomains: ['example.com'],
    resolverMs: 20,
    tools: new Set(allTools),
    toolPaths: new Map(),
    freeBytes: new Map([['/', 200 * 1024 ** 3]]),
    leftovers: [],
    containerd: undefined,
    kubeletVersion: undefined,
    identity: undefined,
    identityUnreadable: undefined,
    caSha256: undefined,
    isRoot: true,
    macAddresses: new Map([['eth0', `02:00:00:00:00:${index}`]]),
    mtus: new Map([['eth0', 1500]]),
    timeZone: { name: 'UTC', offset: '+0000' },
    hostsFile: [{ address: '127.0.0.1', names: ['localhost'] }],
    upstreamNameservers: undefined,
    selinuxEnforcing: false,
    hasContainerPolicy: false,
    forwarding: new Map([
      [4, { state: 'on', isFixed: false }],
      [6, { state: 'on', isFixed: false }],
    ]),
    firewall: undefined,
    ruleService: undefined,
    sysctlFiles: '',
    packageTrouble: [],
    toolPackages: new Map(),
    automaticUpgrades: undefined,
    moduleTrees: ['6.8.0-40-generic'],
    hasLoadedModules: true,
    mounts: [{ path: '/', options: ['rw', 'relatime'] }],
    temporaryFolderMode: '1777',
    xfsWithoutFileTypes: [],
    sshdUsesDns: false,
    sshdUnreadable: [],
    coreLimit: '0',
    defaultTasksMax: 19_000,
    transparentHugepages: 'madvise',
    kernelCommandLine: ['quiet'],
    apparmorEnabled: false,
    apparmorProfiles: undefined,
    missingFeatures: [],
    evidence: new Map(),
    ...given,
  };
}

const allTools = [
  ...['curl', 'tar', 'ip', 'ss', 'iptables', 'mount', 'nsenter', 'modprobe', 'sysctl', 'swapoff', 'flock', 'sha256sum'],
  ...[
    'systemd-run',
    'xargs',
    'diff',
    'timeout',
    'conntrack',
    'ethtool',
    'socat',
    'tc',
    'bash',
    'systemd-socket-activate',
  ],
];

export interface TestClusterInput {
  readonly config?: ClusterConfig;
  /** By name of the host, laid over good facts. */
  readonly facts?: Readonly<Record<string, Partial<Facts>>>;
  readonly hosts?: Readonly<Record<string, Host>>;
}

/** A cluster as it is after the hosts were looked at, with the built-in catalog. */
export function testCluster({ config = testConfig(), facts = {}, hosts = {} }: TestClusterInput = {}): Cluster {
  const cluster = createCluster(config, { verifyContent: false, ignoreChecks: [] }, new Map());
  cluster.clusterId = 'c1';
  cluster.members = config.spec.hosts.map((host): Member => {
    const index = Number(host.address.split('.').at(-1) ?? 0);
    const real = hosts[host.name] ?? ({ name: host.name } as Host);
    cluster.hosts.set(host.name, real);
    const nodeAddress = host.internalAddress ?? host.address;
    return { config: host, host: real, facts: goodFacts(index, facts[host.name]), nodeAddress };
  });
  const catalogs = listAssets('manifests/catalog/').map((path) => parseCatalog(readAsset(path), path));
  cluster.versions = resolveVersions(catalogs, config, ['amd64']);
  return cluster;
}
