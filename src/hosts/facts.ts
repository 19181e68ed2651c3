import type { Answers, CommandSeen, FileSeen, Seen } from '../ops/query.ts';
import {
  parseAddresses,
  parseListeners,
  parseRoutes,
  type InterfaceAddress,
  type Listener,
  type Route,
} from './facts-network.ts';
import { parseEvidence, type Evidence } from './evidence.ts';
import { parseNameservers, parseSearch, parseSettings, type SettingsFacts } from './facts-settings.ts';
import { factQueries as q, probedTools } from './fact-queries.ts';
import { commandText, fileText, numberOf } from './seen-text.ts';

/** What a machine is, as of one look. Numbers that could not be read are undefined: a check says so rather than guess. */
export interface Facts extends SettingsFacts {
  readonly os: {
    readonly id: string;
    readonly idLike: readonly string[];
    readonly versionId: string;
    readonly prettyName: string;
  };
  readonly kernel: string;
  /** As in download addresses: amd64, arm64; the kernel's own word for others. */
  readonly architecture: string;
  readonly hostname: string;
  readonly cpus: number | undefined;
  readonly memoryBytes: number | undefined;
  readonly machineId: string | undefined;
  readonly productUuid: string | undefined;
  readonly addresses: readonly InterfaceAddress[];
  readonly routes: readonly Route[];
  readonly listeners: readonly Listener[] | undefined;
  /** Milliseconds since the epoch by the host's clock, when it was asked. */
  readonly clockMs: number | undefined;
  /** The installer's own clock at that moment. */
  readonly askedAtMs: number | undefined;
  /** The way to the host and back: the time of the look without what the host itself took for it. */
  readonly roundTripMs: number | undefined;
  readonly systemdVersion: number | undefined;
  readonly cgroupVersion: 1 | 2 | undefined;
  readonly swaps: readonly string[];
  readonly nameservers: readonly string[];
  /** Domains that the resolver adds to names, of /etc/resolv.conf. */
  readonly searchDomains: readonly string[];
  /** How long a name that cannot exist took; undefined where no answer came in time. */
  readonly resolverMs: number | undefined;
  readonly tools: ReadonlySet<string>;
  /** Where they are, by name. */
  readonly toolPaths: ReadonlyMap<string, string>;
  readonly freeBytes: ReadonlyMap<string, number>;
  /** Paths of Kubernetes that are there. */
  readonly leftovers: readonly string[];
  /** Version of a containerd in the PATH, and where it lies. */
  readonly containerd:
    | { readonly version: string; readonly path: string; /** Laid down by this installer. */ readonly isOurs: boolean }
    | undefined;
  /** Version of the kubelet that this installer laid down (vX.Y.Z). */
  readonly kubeletVersion: string | undefined;
  /** The cluster that this host says it belongs to. */
  readonly identity: HostIdentity | undefined;
  readonly identityUnreadable: string | undefined;
  /** sha256 of the cluster's CA certificate on this host; undefined where there is none. */
  readonly caSha256: string | undefined;
  /** What the facts were read from, as far as findings show it. */
  readonly evidence: Evidence;
}

/** Written on a host when it becomes part of a cluster; its removal is the last act of reset. */
export interface HostIdentity {
  readonly clusterId: string;
  readonly clusterName: string;
}

/**
 * `askedAtMs`: the installer's clock when it asked, milliseconds since the epoch; `tookMs`: how long the look took. The host's
 * clock is the first and the last thing read.
 */
export function parseFacts(seen: Answers, askedAtMs?: number, tookMs?: number): Facts {
  const release = parseOsRelease(fileText(seen(q.osRelease)));
  const [hostname = '', kernel = '', machine = ''] = commandText(seen(q.uname)).trim().split(' ');
  const identity = parseIdentity(seen(q.identity));
  const which = commandText(seen(q.tools)).split('\n');
  const resolver = seen(q.resolver);
  return {
    os: {
      id: release.get('ID') ?? 'unknown',
      idLike: (release.get('ID_LIKE') ?? '').split(' ').filter((word) => word !== ''),
      versionId: release.get('VERSION_ID') ?? '',
      prettyName: release.get('PRETTY_NAME') ?? 'unknown',
    },
    kernel,
    architecture: architectureNames.get(machine) ?? machine,
    hostname,
    cpus: numberOf(commandText(seen(q.cpus))),
    memoryBytes: parseMemory(fileText(seen(q.meminfo))),
    machineId: fileText(seen(q.machineId)).trim() || undefined,
    productUuid: fileText(seen(q.productUuid)).trim() || undefined,
    addresses: parseAddresses(commandText(seen(q.addresses))),
    routes: [...parseRoutes(commandText(seen(q.routes))), ...parseRoutes(commandText(seen(q.routes6)), 6)],
    listeners: listenersOf(seen(q.listeners)),
    clockMs: numberOf(commandText(seen(q.clock))),
    askedAtMs,
    roundTripMs: roundTripOf(seen, tookMs),
    systemdVersion: numberOf(/^systemd (\d+)/.exec(commandText(seen(q.systemd)))?.[1] ?? ''),
    cgroupVersion: cgroupVersionOf(commandText(seen(q.cgroup)).trim()),
    swaps: parseSwaps(fileText(seen(q.swaps))),
    nameservers: parseNameservers(fileText(seen(q.resolvConf))),
    searchDomains: parseSearch(fileText(seen(q.resolvConf))),
    resolverMs: resolver.state === 'present' ? resolver.value.durationMs : undefined,
    tools: new Set(probedTools.filter((tool) => which.some((path) => path.endsWith(`/${tool}`)))),
    toolPaths: new Map(
      which.filter((path) => path !== '').map((path) => [path.slice(path.lastIndexOf('/') + 1), path]),
    ),
    freeBytes: parseFree(commandText(seen(q.free))),
    leftovers: commandText(seen(q.leftovers))
      .split('\n')
      .filter((path) => path !== ''),
    containerd: parseContainerd(commandText(seen(q.containerd)), which, seen(q.containerdRecord).state === 'present'),
    kubeletVersion: fileText(seen(q.kubeletRecord)).trim().split(' ')[1],
    ...identity,
    caSha256: caDigest(seen(q.ca)),
    ...parseSettings(seen),
    evidence: parseEvidence(seen),
  };
}

const architectureNames: ReadonlyMap<string, string> = new Map([
  ['x86_64', 'amd64'],
  ['aarch64', 'arm64'],
]);

function roundTripOf(seen: Answers, tookMs: number | undefined): number | undefined {
  const [start, end] = [q.clock, q.clockAtEnd].map((query) => numberOf(commandText(seen(query))));
  return start === undefined || end === undefined || tookMs === undefined
    ? undefined
    : Math.max(0, tookMs - (end - start));
}

function listenersOf(seen: Seen<CommandSeen>): Listener[] | undefined {
  return seen.state === 'present' && seen.value.exitCode === 0 ? parseListeners(seen.value.stdout) : undefined;
}

/** os-release(5): NAME=value lines, values quoted or not. */
export function parseOsRelease(text: string): Map<string, string> {
  const entries = text.split('\n').flatMap((line): [string, string][] => {
    const match = /^([A-Z_]+)=(.*)$/.exec(line.trim());
    if (match?.[1] === undefined || match[2] === undefined) return [];
    return [[match[1], match[2].replace(/^(["'])(.*)\1$/, '$2')]];
  });
  return new Map(entries);
}

function parseMemory(text: string): number | undefined {
  const kib = numberOf(/^MemTotal:\s+(\d+) kB/m.exec(text)?.[1] ?? '');
  return kib === undefined ? undefined : kib * 1024;
}

function cgroupVersionOf(fileSystem: string): 1 | 2 | undefined {
  if (fileSystem === 'cgroup2fs') return 2;
  return fileSystem === 'tmpfs' ? 1 : undefined;
}

function parseSwaps(text: string): string[] {
  return text
    .split('\n')
    .slice(1)
    .map((line) => line.split(/\s+/)[0] ?? '')
    .filter((device) => device !== '');
}

/** `df -Pk`: file system, 1024-blocks, used, available, capacity, mounted on; one line for each path asked, in order. */
function parseFree(text: string): Map<string, number> {
  const lines = text.split('\n').slice(1);
  const entries = lines.flatMap((line): [string, number][] => {
    const words = line.trim().split(/\s+/);
    const [, , , available] = words;
    const mount = words[5];
    return available === undefined || mount === undefined ? [] : [[mount, Number(available) * 1024]];
  });
  return new Map(entries);
}

function parseContainerd(text: string, which: readonly string[], isOurs: boolean): Facts['containerd'] {
  // containerd github.com/containerd/containerd/v2 v2.2.3 <commit>
  const version = /\bv?(\d+\.\d+\.\d+\S*)/.exec(text)?.[1];
  const path = which.find((line) => line.endsWith('/containerd'));
  return version === undefined || path === undefined ? undefined : { version, path, isOurs };
}

function parseIdentity(seen: Seen<FileSeen>): Pick<Facts, 'identity' | 'identityUnreadable'> {
  if (seen.state === 'absent') return { identity: undefined, identityUnreadable: undefined };
  if (seen.state === 'unknown') return { identity: undefined, identityUnreadable: seen.reason };
  try {
    const value = JSON.parse(seen.value.content ?? '') as Partial<HostIdentity>;
    if (typeof value.clusterId === 'string' && typeof value.clusterName === 'string') {
      return {
        identity: { clusterId: value.clusterId, clusterName: value.clusterName },
        identityUnreadable: undefined,
      };
    }
  } catch {
    // Falls through: text that is no JSON is as unreadable as JSON without the fields.
  }
  return { identity: undefined, identityUnreadable: 'it does not hold a clusterId and a clusterName' };
}

function caDigest(seen: Seen<FileSeen>): string | undefined {
  return seen.state === 'present' && seen.value.type === 'file' ? seen.value.sha256 : undefined;
}
