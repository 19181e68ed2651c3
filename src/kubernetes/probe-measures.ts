import { canLoad } from '../hosts/fact-queries.ts';
import type { Probed } from '../hosts/probed.ts';
import { commandText } from '../hosts/seen-text.ts';
import { isTaken } from '../hosts/facts-network.ts';
import { holdsCluster, ignoredChecks, isControlPlane, type Cluster, type Member } from './cluster.ts';
import { endpointName } from './endpoint.ts';
import { bandwidthPort } from './peer-ports.ts';
import { listenToolOf } from './probe-plan.ts';
import { bandwidthQuery, parseBandwidth } from '../ops/bandwidth-probe.ts';
import { diskQuery, isDiskFull, parseDiskSpeed } from '../ops/disk-probe.ts';
import { fsyncQuery, parseFsync } from '../ops/fsync-probe.ts';
import { neighbourQuery, parseNeighbour } from '../ops/neighbour-probe.ts';
import { commandQuery, type CommandQuery, type CommandSeen, type Seen } from '../ops/query.ts';

/** A question to one host beside the probe of its peers, and what its answer tells. */
export interface Measure {
  readonly query: CommandQuery;
  read(seen: Seen<CommandSeen>): Probed;
}

/** What the host of that place in the file is asked and measures. */
export function planMeasures(cluster: Cluster, index: number): Measure[] {
  const member = cluster.members[index];
  if (member === undefined) return [];
  const { measure } = cluster.config.spec.checks;
  return [
    ...modulesOf(cluster),
    ...neighbour(cluster),
    ...endpointAddresses(cluster),
    ...hostNames(cluster, member),
    ...(measure.includes('bandwidth') ? bandwidth(cluster, member) : []),
    ...(hasNewEtcd(member, cluster) && member.facts.isRoot ? [fsync] : []),
    ...(measure.includes('disk') && diskObstacle(member) === undefined && member.facts.isRoot ? [disk] : []),
  ];
}

const isInUse = 'a cluster is on the host, which is not put under load';

/** Why the disk for images is not measured, where root would measure it; undefined where it is. */
export function diskObstacle(member: Member): string | undefined {
  return holdsCluster(member) ? isInUse : undefined;
}

/** Why a host takes no part in the measurement of bandwidth; undefined where it does. */
export function bandwidthObstacle(cluster: Cluster, member: Member): string | undefined {
  const own = ownObstacle(member);
  if (own !== undefined) return own;
  return ringOf(cluster).length > 1 ? undefined : 'there is no other host that can take part';
}

function ownObstacle(member: Member): string | undefined {
  const { tools, listeners } = member.facts;
  if (holdsCluster(member)) return isInUse;
  if (!tools.has('bash')) return 'it has no bash';
  if (listenToolOf(member) === undefined) return 'it has neither systemd-socket-activate nor socat to listen with';
  return isTaken(listeners, 'tcp', bandwidthPort) ? `port ${bandwidthPort} is taken` : undefined;
}

/** The hosts that can listen; they send in a ring, in the order of the file. */
function ringOf({ members }: Cluster): readonly Member[] {
  return members.filter((member) => ownObstacle(member) === undefined);
}

/** Where the disk of etcd matters and may be measured: never under an etcd that runs. */
export function hasNewEtcd(member: Member, cluster: Cluster): boolean {
  return isControlPlane(member) && !holdsCluster(member) && !ignoredChecks(cluster).includes('disk-speed');
}

const fsync: Measure = {
  query: fsyncQuery,
  read: (seen) => given('fsyncMs', parseFsync(commandText(seen))),
};

const disk: Measure = {
  query: diskQuery,
  read(seen) {
    const text = commandText(seen);
    return isDiskFull(text) ? { isDiskFull: true } : given('disk', parseDiskSpeed(text));
  },
};

const findMissing = `${canLoad}
for m in "$@"; do can_load "$(printf '%s' "$m" | tr - _)" || printf '%s\\n' "$m"; done
exit 0`;

/** Nothing is known of modules where the host has no folder of them, as in a container. */
function modulesOf({ config }: Cluster): Measure[] {
  const { modules } = config.spec.hostSettings;
  if (modules.length === 0) return [];
  const query = commandQuery(['/bin/sh', '-c', findMissing, 'sh', ...modules]);
  const namesIn = (text: string): string[] => text.split('\n').filter((name) => name !== '');
  return [{ query, read: (seen) => ({ missingModules: namesIn(commandText(seen)) }) }];
}

function neighbour({ config }: Cluster): Measure[] {
  const { virtualAddress } = config.spec.kubernetes;
  if (virtualAddress === undefined) return [];
  const query = neighbourQuery(virtualAddress.address);
  return [
    { query, read: (seen) => (seen.state === 'present' ? { neighbour: parseNeighbour(seen.value.stdout) } : {}) },
  ];
}

function endpointAddresses({ config }: Cluster): Measure[] {
  const name = endpointName(config);
  if (name === undefined) return [];
  const query = commandQuery(['getent', 'ahosts', name], { timeoutSeconds: 6 });
  // Lines of address, kind of socket and name.
  const addressesIn = (text: string): string[] => [
    ...new Set(text.split('\n').flatMap((line) => line.split(/\s+/, 1).filter((word) => word !== ''))),
  ];
  return [
    { query, read: (seen) => (seen.state === 'absent' ? {} : { endpointAddresses: addressesIn(commandText(seen)) }) },
  ];
}

/** So long all names together may take: a resolver that is silent is told by its own check. */
const namesSeconds = 6;

/** `NAME ADDRESS…` a line, for every name that was looked up in time. */
const lookUpNames = `for n in "$@"; do
printf '%s' "$n"; getent ahosts "$n" | sed 's/[[:space:]].*//' | sort -u | while read -r a; do printf ' %s' "$a"; done; echo
done; exit 0`;

/** Names of hosts that /etc/hosts does not have, where prepare-hosts will not write them there. */
function hostNames({ config, members }: Cluster, { facts }: Member): Measure[] {
  if (config.spec.hostSettings.hostsFile === 'manage') return [];
  const inFile = new Set(facts.hostsFile.flatMap(({ names }) => names));
  const asked = members.map((member) => member.config.name).filter((name) => !inFile.has(name));
  if (asked.length === 0) return [];
  const query = commandQuery(['/bin/sh', '-c', lookUpNames, 'sh', ...asked], { timeoutSeconds: namesSeconds });
  return [{ query, read: (seen) => ({ hostNames: parseHostNames(commandText(seen)) }) }];
}

/** Lines `NAME ADDRESS…`; one without its end was cut off. */
export function parseHostNames(text: string): ReadonlyMap<string, readonly string[]> {
  const lines = text.split('\n').slice(0, -1);
  return new Map(
    lines.map((line) => {
      const [name = '', ...addresses] = line.split(' ');
      return [name, addresses];
    }),
  );
}

function bandwidth(cluster: Cluster, member: Member): Measure[] {
  const ring = ringOf(cluster);
  const place = ring.indexOf(member);
  const next = ring[(place + 1) % ring.length];
  const listenWith = listenToolOf(member);
  if (place === -1 || next === undefined || next === member || listenWith === undefined) return [];
  const query = bandwidthQuery({
    address: member.nodeAddress,
    next: next.nodeAddress,
    port: bandwidthPort,
    listenWith,
  });
  const to = next.config.name;
  return [{ query, read: (seen) => ({ bandwidth: { to, ...given('mbits', parseBandwidth(commandText(seen))) } }) }];
}

/** An object with the value, or without it where there is none. */
function given<Key extends string, Value>(key: Key, value: Value | undefined): { [name in Key]?: Value } {
  return value === undefined ? {} : ({ [key]: value } as { [name in Key]?: Value });
}
