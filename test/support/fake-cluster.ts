import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { createFakeHost, type CommandAnswer, type FakeHost } from './fake-host.ts';

interface FakeNode {
  readonly labels: Record<string, string>;
  readonly taints: { key: string; value?: string; effect: string }[];
}

/** What the API server of a cluster in memory holds. */
export interface FakeCluster {
  readonly nodes: Map<string, FakeNode>;
  /** Data of the ConfigMaps of kube-system by name. */
  readonly configMaps: Map<string, Record<string, string>>;
  /** The manifest that was applied. */
  manifest: string;
  readonly hosts: Readonly<Record<string, FakeHost>>;
  /** Token that joins are made with. */
  readonly token: string;
}

const refused: CommandAnswer = { exitCode: 1, stderr: 'The connection to the server was refused\n' };
const images = ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kube-proxy'];

/** Bare servers, and commands on them that make a cluster of them as kubeadm and kubectl would. `pause` is the sandbox image. */
export function createFakeCluster(names: readonly string[], pause: string): FakeCluster {
  const cluster: FakeCluster = {
    nodes: new Map(),
    configMaps: new Map(),
    manifest: '',
    hosts: Object.fromEntries(names.map((name) => [name, createFakeHost(name, { files: bareFiles })])),
    token: 'abcdef.0123456789abcdef',
  };
  for (const host of Object.values(cluster.hosts)) {
    actAsKernel(host);
    actAsContainerd(host, pause);
    actAsKubeadm(host, cluster);
    actAsKubectl(host, cluster);
  }
  return cluster;
}

const bareFiles: Readonly<Record<string, string>> = {
  '/etc/hosts': '127.0.0.1 localhost\n',
  '/etc/fstab': '/dev/sda1 / ext4 defaults 0 1\n/swap.img none swap sw 0 0\n',
  '/proc/swaps': 'Filename\tType\tSize\tUsed\tPriority\n/swap.img file 1 0 -2\n',
  '/proc/filesystems': 'nodev\ttmpfs\n',
  '/proc/modules': '',
  '/proc/sys/net/ipv4/ip_forward': '0\n',
  '/proc/sys/net/netfilter/nf_conntrack_max': '262144\n',
  '/proc/sys/fs/inotify/max_user_instances': '128\n',
  '/proc/sys/fs/inotify/max_user_watches': '999999\n',
  '/proc/sys/vm/max_map_count': '65530\n',
};

function actAsKernel(host: FakeHost): void {
  const append = (path: string, line: string): void => host.write(path, `${host.text(path) ?? ''}${line}\n`);
  host.on('modprobe', ([, module = '']) => {
    append('/proc/modules', `${module} 1 0 - Live 0x0`);
    if (module === 'overlay') append('/proc/filesystems', 'nodev\toverlay');
    else for (const name of ['iptables', 'ip6tables']) host.write(`/proc/sys/net/bridge/bridge-nf-call-${name}`, '1\n');
    return '';
  });
  host.on('ip link delete', { exitCode: 1, stderr: 'Cannot find device' });
  host.on('/bin/sh -c set --', '');
  host.on('/bin/sh -c d=systemd/system', '');
  host.on('swapoff -a', () => (host.write('/proc/swaps', 'Filename\tType\tSize\tUsed\tPriority\n'), ''));
  host.on('swapon /swap.img', () => (host.write('/proc/swaps', bareFiles['/proc/swaps'] ?? ''), ''));
  host.on('systemctl', '');
  host.on(/^systemctl stop \S+\.service$/, ([, , unit = '']) => (host.systemctl('stop', unit), ''));
  host.on('rm -f', ([, , ...paths]) => (paths.forEach((path) => host.files.delete(path)), ''));
  // The folders of this model exist only through their files: there are no empty ones.
  host.on(/^find \S+ -type d -empty -delete$/, '');
  host.on('find /run/installer ', () => {
    for (const path of host.files.keys()) if (path.startsWith('/run/installer/')) host.files.delete(path);
    return '';
  });
  host.on('find /var/lib/installer ', (argv) => {
    for (const path of host.files.keys())
      if (path.startsWith('/var/lib/installer/') && !argv.includes(path)) host.files.delete(path);
    return '';
  });
  host.on('rmdir', '');
  host.on(/^ip6?tables-save$/, '*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n');
}

function actAsContainerd(host: FakeHost, pause: string): void {
  const pulled: string[] = [];
  const runs = (): boolean => host.services.get('containerd.service')?.activeState === 'active';
  host.on('crictl', () => (runs() ? '' : 'absent'));
  host.on('crictl images', () =>
    runs() ? JSON.stringify({ images: pulled.map((image) => ({ repoTags: [image] })) }) : 'absent',
  );
  host.on('crictl --timeout=600s pull', (argv) => (pulled.push(argv.at(-1) ?? ''), ''));
  host.on('sh -c crictl inspecti', (argv) => (pulled.push(argv.at(-1) ?? ''), ''));
  host.on('kubeadm config images list', (argv) => {
    if (!host.artifacts.has('kubeadm')) return 'absent';
    const version = argv.at(-1)?.split('=')[1] ?? '';
    return `${[...images.map((name) => `registry.k8s.io/${name}:${version}`), pause].join('\n')}\n`;
  });
}

function actAsKubeadm(host: FakeHost, cluster: FakeCluster): void {
  function becomeNode(config: string): void {
    const registration = documentsOf(host.text(config)).find(({ nodeRegistration }) => nodeRegistration !== undefined);
    const { name, taints } = registration?.['nodeRegistration'] as { name: string; taints: FakeNode['taints'] };
    cluster.nodes.set(name, { labels: {}, taints: [...taints] });
    host.write('/etc/kubernetes/kubelet.conf', 'x');
    host.write('/var/lib/kubelet/config.yaml', cluster.configMaps.get('kubelet-config')?.['kubelet'] ?? '');
    host.systemctl('restart', 'kubelet.service');
  }

  host.on('kubeadm init', () => {
    const documents = parseAllDocuments(host.text('/etc/kubernetes/kubeadm-init.yaml') ?? '');
    const [, clusterConfiguration, kubelet, kubeProxy] = documents.map((document) => document.toString());
    cluster.configMaps.set('kubeadm-config', { ClusterConfiguration: clusterConfiguration ?? '' });
    cluster.configMaps.set('kubelet-config', { kubelet: kubelet ?? '' });
    cluster.configMaps.set('kube-proxy', { 'config.conf': kubeProxy ?? '' });
    host.write('/etc/kubernetes/admin.conf', adminConf);
    host.write('/etc/kubernetes/manifests/kube-apiserver.yaml', 'x');
    host.write('/var/lib/etcd/member/snap/db', 'x');
    host.write('/etc/kubernetes/pki/ca.crt', readFileSync(join(import.meta.dirname, '../fixtures/ca.crt'), 'utf8'));
    becomeNode('/etc/kubernetes/kubeadm-init.yaml');
    return '';
  });
  host.on('kubeadm token create', () =>
    host.files.has('/etc/kubernetes/admin.conf') ? `${cluster.token}\n` : refused,
  );
  host.on('kubeadm join', () => {
    const text = host.text('/run/installer/kubeadm-join.yaml') ?? '';
    if (!text.includes(cluster.token)) return { exitCode: 1, stderr: 'invalid token' };
    becomeNode('/run/installer/kubeadm-join.yaml');
    return '';
  });
  host.on('/bin/sh -c systemctl stop kubelet.service', ([, , script = '']) => {
    host.systemctl('stop', 'kubelet.service');
    if (script.includes('rm -f /etc/kubernetes/'))
      for (const path of host.files.keys())
        if (/^\/(etc\/kubernetes\/(manifests|pki|[a-z-]+\.conf)|var\/lib\/(etcd|kubelet))/.test(path))
          host.files.delete(path);
    return '';
  });
}

function actAsKubectl(host: FakeHost, cluster: FakeCluster): void {
  const node = (name: string): object => ({
    kind: 'Node',
    metadata: { name, labels: cluster.nodes.get(name)?.labels },
    spec: { taints: cluster.nodes.get(name)?.taints },
    status: { conditions: [{ type: 'Ready', status: 'True' }] },
  });
  const list = (...items: readonly object[]): string => JSON.stringify({ kind: 'List', items });
  const named = (kind: string, name: string): object => ({ kind, metadata: { name } });

  host.on('kubectl', (argv, stdin) => {
    const [, kubeconfig = '', , ...args] = argv;
    if (!host.artifacts.has('kubectl')) return 'absent';
    if (!host.files.has(kubeconfig.split('=')[1] ?? '')) return refused;
    const words = args.filter((word) => !['-n', 'kube-system', '--overwrite', '--ignore-not-found'].includes(word));
    const [verb, what = '', name = ''] = words;
    if (verb === 'diff') return cluster.manifest === stdin ? '' : { exitCode: 1, stdout: '+ something\n' };
    if (verb === 'apply') return ((cluster.manifest = stdin), 'applied');
    if (verb === 'label' || verb === 'taint') return mark(verb, cluster.nodes.get(name), words.slice(3));
    if (verb === 'patch') {
      const { data } = JSON.parse(stdin) as { data: Record<string, string> };
      cluster.configMaps.set(name, { ...cluster.configMaps.get(name), ...data });
      return '';
    }
    if (verb !== 'get') return '';
    if (what === '--raw=/readyz') return 'ok';
    if (what === 'nodes') return list(...[...cluster.nodes.keys()].map(node));
    if (what === 'node') return cluster.nodes.has(name) ? JSON.stringify(node(name)) : '';
    const configMaps = [...cluster.configMaps].map(([key, data]) => ({ ...named('ConfigMap', key), data }));
    const namespaces = cluster.manifest === '' ? [] : [named('Namespace', 'kube-flannel')];
    const first = what.split('/')[1] ?? '';
    const nodes = cluster.nodes.has(first) ? [node(first)] : [];
    return list(
      ...nodes,
      ...configMaps,
      named('DaemonSet', 'kube-proxy'),
      named('Deployment', 'coredns'),
      ...namespaces,
    );
  });
}

function mark(verb: 'label' | 'taint', node: FakeNode | undefined, values: readonly string[]): CommandAnswer {
  if (node === undefined) return { exitCode: 1, stderr: 'not found' };
  for (const word of values) {
    if (verb === 'label') {
      const [key = '', value = ''] = word.split('=');
      node.labels[key] = value;
    } else {
      const [, key = '', value, effect = ''] = /^([^=:]+)(?:=([^:]*))?:(.*)$/.exec(word) ?? [];
      node.taints.push({ key, ...(value === undefined ? {} : { value }), effect });
    }
  }
  return '';
}

function documentsOf(text: string | undefined): Record<string, unknown>[] {
  return parseAllDocuments(text ?? '').map((document) => document.toJSON() as Record<string, unknown>);
}

const adminConf = `apiVersion: v1
kind: Config
clusters: [{ name: prod, cluster: { server: "https://10.0.0.11:6443" } }]
users: [{ name: admin, user: { client-key-data: S0VZLURBVEE= } }]
`;
