import type { Answers, CommandSeen, FileSeen, Query, Seen } from '../ops/query.ts';
import { factQueries, probedUnits } from './fact-queries.ts';

/** How long the evidence of one finding may be, in characters. */
export const evidenceLimit = 300;

/** What is kept of one answer: whole lines, and so many characters of them. */
const keptLimit = 8192;
const lineLimit = 200;

const everything = /^.*\S.*$/gm;

/**
 * What of an answer may be shown where a check found something; of a file that holds more than the checks look at (and
 * perhaps a password), the lines or words that they look at alone.
 */
const shown = {
  osRelease: /^(ID|ID_LIKE|VERSION_ID)=.*$/gm,
  uname: everything,
  cpus: everything,
  meminfo: /^MemTotal:.*$/gm,
  machineId: everything,
  productUuid: everything,
  addresses: everything,
  routes: everything,
  routes6: everything,
  // Ports of Kubernetes: a busy host listens on more than is kept.
  listeners: /^(tcp\s.*:(2379|2380|6443|102\d\d)|udp\s.*:8472)\s.*$/gm,
  clock: everything,
  systemd: /^systemd \d.*$/gm,
  cgroup: everything,
  swaps: /^(?!Filename).*\S.*$/gm,
  fstab: /^\s*[^#\s]\S*\s+\S+\s+swap\b.*$/gm,
  swapUnits: /^(enabled|generated) .*$/gm,
  resolvConf: /^\s*(nameserver|search|domain)\s.*$/gm,
  resolvedConf: /^\s*nameserver\s.*$/gm,
  resolver: everything,
  tools: everything,
  free: /^(?!Filesystem).*\S.*$/gm,
  leftovers: everything,
  containerd: everything,
  kubeletRecord: everything,
  identity: everything,
  account: everything,
  links: everything,
  zoneOffset: everything,
  zoneFile: everything,
  hostsFile: everything,
  selinux: everything,
  containerPolicy: everything,
  ipForward: everything,
  units: activeUnits,
  ufw: /^\s*ENABLED\s*=.*$/gim,
  aptUpgrades: everything,
  dnfAutomatic: /^\s*apply_updates\s*=.*$/gim,
  moduleTrees: everything,
  mounts: everything,
  temporaryFolder: everything,
  xfs: everything,
  useDns: everything,
  coreLimit: everything,
  tasksMax: everything,
  hugepages: everything,
  cmdline: /\bcgroup\.memory=\S*/g,
  apparmor: everything,
  apparmorProfiles: (text) => (text.match(everything) ?? []).map((count) => `${count} loaded`),
  missingFeatures: (text) => (text.match(everything) ?? []).map((feature) => `no ${feature}`),
  sysctlFiles: everything,
  packageTrouble: everything,
  toolPackages: everything,
} as const satisfies Partial<Record<keyof typeof factQueries, RegExp | ((text: string) => string[])>>;

export type FactSource = keyof typeof shown;

/** What a check may read: an answer that facts are made of, or one of the measurements of probe-peers. */
export type EvidenceSource = FactSource | keyof typeof measurementNames;

/** What was read on one host, by source: lines of it, or in brackets why there are none. */
export type Evidence = ReadonlyMap<EvidenceSource, string>;

/** The measurements of probe-peers; they have no lines. */
const measurementNames = {
  peerProbe: 'probe of the ports and the MTU between the hosts',
  fsyncProbe: 'dd oflag=dsync',
  neighbourProbe: 'ip neigh (ARP)',
  endpointProbe: 'TCP connection to the endpoint',
  endpointName: 'getent ahosts',
  hostNames: 'getent ahosts (names of the hosts)',
  bandwidthProbe: 'dd to the next host by TCP',
  diskProbe: 'dd oflag=direct',
} as const;

/** Where the command line would say little or too much; the name of all others is that of the file or the command. */
const names: Partial<Record<FactSource, string>> = {
  tools: 'command -v',
  leftovers: 'find (paths of kubeadm, kubelet, etcd, pods and network plugins)',
  containerPolicy: 'ls (policies of SELinux for containers)',
  ipForward: 'forwarding in /proc/sys/net',
  units: 'systemctl is-active',
  mounts: '/proc/self/mounts',
  xfs: 'xfs_info',
  useDns: 'grep UseDNS /etc/ssh/sshd_config',
  coreLimit: 'ulimit -c',
  missingFeatures: '/proc/filesystems, /proc/sys/net, modprobe -n',
  temporaryFolder: 'stat /tmp',
  swapUnits: 'systemctl show -p UnitFileState (units of swap)',
  apparmorProfiles: '/sys/kernel/security/apparmor/profiles',
  sysctlFiles: '/etc/sysctl.conf, sysctl.d of /etc, /run, /usr/local/lib, /usr/lib',
  packageTrouble: 'dpkg --audit, apt-get --print-uris update, rpm -q',
  toolPackages: 'dpkg-query -S, rpm -qf',
};

/** `/proc/swaps`, `ss -Hlntup`. */
export function sourceName(source: EvidenceSource): string {
  if (isMeasurement(source)) return measurementNames[source];
  const name = names[source];
  if (name !== undefined) return name;
  const query = factQueries[source];
  return query.kind === 'file' ? query.path : query.argv.join(' ');
}

function isMeasurement(source: EvidenceSource): source is keyof typeof measurementNames {
  return Object.hasOwn(measurementNames, source);
}

/** Keeps, bounded, what findings may have to show: their answers are let go of when facts are made. */
export function parseEvidence(seen: Answers): Evidence {
  const sources = Object.keys(shown) as FactSource[];
  return new Map(sources.map((source) => [source, keep(source, seen<Query>(factQueries[source]) as RawSeen)]));
}

type RawSeen = Seen<FileSeen | CommandSeen>;

function keep(source: FactSource, seen: RawSeen): string {
  if (seen.state === 'absent') return '(not there)';
  if (seen.state === 'unknown') return `(not known: ${oneLine(seen.reason)})`;
  const text = textOf(seen.value);
  // Hosts are alike: most answers are those of the host before.
  const before = latest.get(source);
  if (before?.text === text) return before.kept;
  const pattern = shown[source];
  const lines = typeof pattern === 'function' ? pattern(text) : (text.match(pattern) ?? []);
  if (lines.length === 0) return noLine(seen.value, text);
  let left = keptLimit;
  const kept = lines
    .map((line) => clip(oneLine(line), lineLimit))
    .filter((line) => (left -= line.length + 1) >= 0)
    .join('\n');
  latest.set(source, { text, kept });
  return kept;
}

/** By source: the latest answer that has lines to show, and those. */
const latest = new Map<FactSource, { readonly text: string; readonly kept: string }>();

function textOf(value: FileSeen | CommandSeen): string {
  if ('stdout' in value) return value.stdout;
  return value.content ?? `${value.type}, mode ${value.mode}`;
}

function noLine(value: FileSeen | CommandSeen, text: string): string {
  if ('stdout' in value && value.exitCode !== 0)
    return `(${[`exit status ${value.exitCode}`, oneLine(value.stderr)].filter((part) => part !== '').join(': ')})`;
  return text.trim() === '' ? '(empty)' : '(no such line)';
}

/** The states come without names, in the order of the question. */
function activeUnits(text: string): string[] {
  const states = text.split('\n');
  return probedUnits.flatMap((unit, index) => (states[index]?.trim() === 'active' ? [`${unit} active`] : []));
}

export interface EvidenceWanted {
  readonly reads: readonly EvidenceSource[];
  /** Which lines tell it; all of them where there is none. */
  readonly about?: ((line: string) => boolean) | undefined;
  /** What was measured or compared, in the place of lines of the first source. */
  readonly seen?: string | undefined;
}

/** `/proc/swaps: /dev/sda2 partition 8388604 0 -2`; never empty, and at most `evidenceLimit` characters. */
export function renderEvidence({ reads, about, seen }: EvidenceWanted, evidence: Evidence | undefined): string {
  const rows = reads.map((source, index) => {
    const text = evidence?.get(source) ?? '';
    const note = text.startsWith('(') ? text : '';
    const lines = text === '' || note !== '' ? [] : text.split('\n').filter((line) => about?.(line) ?? true);
    return { name: sourceName(source), note, text: (index === 0 ? seen : undefined) ?? lines.join(' | ') };
  });
  const hits = rows.filter(({ text }) => text !== '');
  // Where certain lines are looked for and there are some, what has none is not worth a word.
  const told = about !== undefined && hits.length > 0 ? hits : rows;
  const parts = told.map(({ name, note, text }) => [name, text === '' ? note : text].filter((part) => part !== ''));
  return clip(oneLine(parts.map((part) => part.join(': ')).join('; ')), evidenceLimit);
}

function clip(text: string, limit: number): string {
  return text.length <= limit ? text : `${text.slice(0, limit - 1)}…`;
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim();
}
