import { sharedVersions, upstreamMinors, type UpstreamMinor } from './versions.ts';

/** How one component is built from Go modules; its content is the cache key, so whatever changes the result stands here. */
export interface GoRecipe {
  readonly name: string;
  /** Module the commands come from, at `version`. */
  readonly module: string;
  readonly version: string;
  /** Package paths of the commands; each becomes a binary of its last element (`/vN` aside). */
  readonly commands: readonly string[];
  /** Names given to binaries whose package is called otherwise. */
  readonly renames?: Readonly<Record<string, string>>;
  /** Further modules to require, by path. */
  readonly requires?: Readonly<Record<string, string>>;
  /** `-X` values by variable. */
  readonly variables?: Readonly<Record<string, string>>;
  readonly tags?: readonly string[];
  /** Statically linked with C; needs gcc. Without it CGO is off. */
  readonly cgo?: boolean;
  /** Seconds on two cores from empty caches, for the word about how long it takes. */
  readonly seconds: number;
}

const buildDate = '2026-01-01T00:00:00Z';

function kubernetesVariables(version: string): Record<string, string> {
  const minor = version.split('.')[1] ?? '';
  const values: Record<string, string> = {
    gitVersion: version,
    gitMajor: '1',
    gitMinor: minor,
    gitTreeState: 'clean',
    gitCommit: '0000000000000000000000000000000000000000',
    buildDate,
  };
  const packages = ['k8s.io/component-base/version', 'k8s.io/client-go/pkg/version'];
  return Object.fromEntries(
    packages.flatMap((path) => Object.entries(values).map(([name, value]) => [`${path}.${name}`, value])),
  );
}

/** The Kubernetes commands; one build for all, since they share most of their packages. */
function kubernetesRecipe(version: string): GoRecipe {
  const commands = [
    'kubeadm',
    'kubelet',
    'kubectl',
    'kube-apiserver',
    'kube-controller-manager',
    'kube-scheduler',
    'kube-proxy',
  ];
  return {
    name: 'kubernetes',
    module: 'k8s.io/kubernetes',
    version,
    commands: commands.map((name) => `k8s.io/kubernetes/cmd/${name}`),
    variables: kubernetesVariables(version),
    seconds: 390,
  };
}

function agnhostRecipe(version: string, tag: string): GoRecipe {
  return {
    name: 'agnhost',
    module: 'k8s.io/kubernetes',
    version,
    commands: ['k8s.io/kubernetes/test/images/agnhost'],
    variables: { ...kubernetesVariables(version), 'main.Version': tag },
    seconds: 10,
  };
}

function etcdRecipe(version: string): GoRecipe {
  return {
    name: 'etcd',
    module: 'go.etcd.io/etcd/server/v3',
    version,
    commands: ['go.etcd.io/etcd/server/v3', 'go.etcd.io/etcd/etcdctl/v3', 'go.etcd.io/etcd/etcdutl/v3'],
    renames: { server: 'etcd' },
    requires: { 'go.etcd.io/etcd/etcdctl/v3': version, 'go.etcd.io/etcd/etcdutl/v3': version },
    seconds: 30,
  };
}

function corednsRecipe(version: string): GoRecipe {
  return {
    name: 'coredns',
    module: 'github.com/coredns/coredns',
    version,
    commands: ['github.com/coredns/coredns'],
    seconds: 110,
  };
}

function crictlRecipe(version: string): GoRecipe {
  return {
    name: 'crictl',
    module: 'sigs.k8s.io/cri-tools',
    version,
    commands: ['sigs.k8s.io/cri-tools/cmd/crictl'],
    variables: { 'sigs.k8s.io/cri-tools/pkg/version.Version': version },
    seconds: 30,
  };
}

const containerd: GoRecipe = {
  name: 'containerd',
  module: 'github.com/containerd/containerd/v2',
  version: sharedVersions.containerd,
  commands: ['containerd', 'containerd-shim-runc-v2', 'ctr'].map(
    (name) => `github.com/containerd/containerd/v2/cmd/${name}`,
  ),
  variables: { 'github.com/containerd/containerd/v2/version.Version': sharedVersions.containerd },
  tags: ['no_btrfs', 'no_devmapper', 'no_zfs'],
  seconds: 65,
};

const runc: GoRecipe = {
  name: 'runc',
  module: 'github.com/opencontainers/runc',
  version: sharedVersions.runc,
  commands: ['github.com/opencontainers/runc'],
  tags: ['seccomp', 'netgo', 'osusergo'],
  cgo: true,
  seconds: 15,
};

const cniModule = 'github.com/containernetworking/plugins';

const cniPlugins: GoRecipe = {
  name: 'cni-plugins',
  module: cniModule,
  version: sharedVersions.cniPlugins,
  commands: [
    ...['bandwidth', 'firewall', 'portmap', 'sbr', 'tuning', 'vrf'].map((name) => `${cniModule}/plugins/meta/${name}`),
    ...['bridge', 'dummy', 'host-device', 'ipvlan', 'loopback', 'macvlan', 'ptp', 'tap', 'vlan'].map(
      (name) => `${cniModule}/plugins/main/${name}`,
    ),
    ...['dhcp', 'host-local', 'static'].map((name) => `${cniModule}/plugins/ipam/${name}`),
  ],
  variables: { [`${cniModule}/pkg/utils/buildversion.BuildVersion`]: sharedVersions.cniPlugins },
  seconds: 10,
};

const flannelPlugin: GoRecipe = {
  name: 'flannel-plugin',
  module: cniModule,
  version: sharedVersions.flannelPluginSource,
  commands: [`${cniModule}/plugins/meta/flannel`],
  variables: { [`${cniModule}/pkg/utils/buildversion.BuildVersion`]: sharedVersions.flannelPluginSource },
  seconds: 5,
};

const flannel: GoRecipe = {
  name: 'flannel',
  module: 'github.com/flannel-io/flannel',
  version: sharedVersions.flannel,
  commands: ['github.com/flannel-io/flannel'],
  requires: { 'github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common': 'v1.3.103' },
  variables: { 'github.com/flannel-io/flannel/pkg/version.Version': sharedVersions.flannel },
  cgo: true,
  seconds: 70,
};

/** Recipes that do not depend on the Kubernetes minor. */
export const sharedRecipes = { containerd, runc, cniPlugins, flannelPlugin, flannel } as const;

/** Recipes of one Kubernetes minor. */
export function minorRecipes(
  minor: UpstreamMinor,
): Record<'kubernetes' | 'agnhost' | 'etcd' | 'coredns' | 'crictl', GoRecipe> {
  const versions = upstreamMinors[minor];
  return {
    kubernetes: kubernetesRecipe(versions.kubernetes),
    agnhost: agnhostRecipe(versions.kubernetes, versions.agnhost),
    etcd: etcdRecipe(versions.etcd),
    coredns: corednsRecipe(versions.coredns),
    crictl: crictlRecipe(versions.crictl),
  };
}

/** Every recipe of the given minors, in the order they are built, each once. */
export function recipesFor(minors: readonly UpstreamMinor[]): GoRecipe[] {
  const all = minors.flatMap((minor) => [...Object.values(minorRecipes(minor)), ...Object.values(sharedRecipes)]);
  return [...new Map(all.map((recipe) => [`${recipe.name} ${recipe.version}`, recipe])).values()];
}
