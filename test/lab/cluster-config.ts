import { Document, isNode } from 'yaml';

export interface ClusterConfigInput {
  readonly name: string;
  readonly keyFile: string;
  readonly hosts: readonly { readonly name: string; readonly address: string }[];
  /** With the leading `v`. */
  readonly kubernetesVersion: string;
  readonly cgroupV1: boolean;
  /** Absent where the lab has no upstream. */
  readonly upstream?: {
    readonly registryUrl: string;
    /** Relative to the cluster file. */
    readonly registryCaFile: string;
    readonly downloadsUrl: string;
    readonly catalogs: readonly string[];
  };
}

/** What the lab's upstream stands in for. */
const registries = ['registry.k8s.io', 'docker.io', 'ghcr.io', 'quay.io'];
const downloadSites = ['dl.k8s.io', 'github.com', 'get.helm.sh'];

const comments: readonly { readonly path: readonly (string | number)[]; readonly text: string }[] = [
  {
    path: ['spec', 'kubernetes', 'ignorePreflightErrors'],
    text: ' This machine has cgroup version 1: kubeadm refuses it, and the kubelet too from 1.35 on.',
  },
  {
    path: ['spec', 'kubernetes', 'kubeProxy'],
    text: ' A lab host shares the kernel, whose table of connections it cannot size: kube-proxy must not try.',
  },
  {
    path: ['spec', 'runtime', 'containerd'],
    text: ' Root of a lab host lacks CAP_SYS_RESOURCE, so it cannot lower the OOM score that containerd asks for.',
  },
];

/** Hosts of several distributions are what a lab with more than one host is for, where there are rpm hosts among them. */
function isMixed({ hosts }: ClusterConfigInput): boolean {
  return hosts.length > 1 && hosts.some(({ name }) => name.startsWith('rpm'));
}

/** A cluster file for the hosts: the first is the control plane, the others are workers. Ready to use. */
export function renderClusterConfig(input: ClusterConfigInput): string {
  const { upstream } = input;
  const hosts = input.hosts.map(({ name, address }, index) => ({
    name,
    address,
    roles: [index === 0 ? 'control-plane' : 'worker'],
    ...(index > 0 && index === input.hosts.length - 1 ? { labels: { 'example.com/disk': 'fast' } } : {}),
  }));
  const mirror = upstream && { mirrors: [upstream.registryUrl], ca: upstream.registryCaFile };
  const document = new Document(
    {
      apiVersion: 'installer.io/v1alpha1',
      kind: 'ClusterConfig',
      metadata: { name: input.name },
      spec: {
        ssh: {
          user: 'ops',
          port: 22,
          keyFile: input.keyFile,
          knownHosts: { policy: 'strict', file: './known_hosts' },
        },
        hosts,
        kubernetes: {
          version: input.kubernetesVersion,
          ...(input.cgroupV1
            ? { ignorePreflightErrors: ['SystemVerification'], kubelet: { failCgroupV1: false } }
            : {}),
          kubeProxy: {
            conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: '0s', tcpCloseWaitTimeout: '0s' },
          },
        },
        network: { plugin: 'flannel', podSubnets: ['10.244.0.0/16'], serviceSubnets: ['10.96.0.0/12'] },
        // All hosts share one disk, two cores and one memory with whatever else runs: how quick and large they are says nothing.
        checks: {
          thresholds: {
            fsyncMs: 2000,
            roundTripMs: 100,
            recommendedCpuCores: 0,
            recommendedMemoryMiB: 0,
            diskFreeGiB: { '/': 5, '/var/lib': 5 },
          },
          ...(isMixed(input) ? { severities: { 'os-consistent': 'warning' } } : {}),
        },
        runtime: {
          containerd: { config: { plugins: { 'io.containerd.cri.v1.runtime': { restrict_oom_score_adj: true } } } },
          ...(mirror ? { registries: Object.fromEntries(registries.map((name) => [name, { ...mirror }])) } : {}),
        },
        ...(upstream
          ? {
              artifacts: {
                mirrors: Object.fromEntries(downloadSites.map((site) => [site, `${upstream.downloadsUrl}/${site}`])),
                catalogs: [...upstream.catalogs],
              },
            }
          : {}),
      },
    },
    { aliasDuplicateObjects: false },
  );
  document.commentBefore = ' Written by lab:up, and again by each lab:up: copy it before changing it.';
  for (const { path, text } of comments) {
    const pair = path.slice(0, -1);
    const map = document.getIn(pair, true);
    if (!document.hasIn(path) || !isNode(map) || !('items' in map)) continue;
    const item = (map.items as { key: unknown }[]).find((entry) => String(entry.key) === path.at(-1));
    if (item && isNode(item.key)) item.key.commentBefore = text;
  }
  return document.toString({ lineWidth: 120, flowCollectionPadding: true });
}
