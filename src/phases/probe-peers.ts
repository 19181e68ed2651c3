import { randomBytes } from 'node:crypto';
import { belongsToCluster } from '../checks/check.ts';
import type { ClusterPhase } from '../engine/phase.ts';
import { messageOf } from '../errors.ts';
import { isTaken } from '../hosts/facts-network.ts';
import { commandText } from '../hosts/seen-text.ts';
import { missingReport, parsePeerReport, type PeerReport } from '../hosts/peer-report.ts';
import { ignoredChecks, interfaceOf, isControlPlane, type Cluster, type Member } from '../kubernetes/cluster.ts';
import { isSentLarge, neededPorts, rendezvousPort, vxlanPort } from '../kubernetes/peer-ports.ts';
import { fsyncQuery, parseFsync } from '../ops/fsync-probe.ts';
import { peerProbeQuery, type PeerProbe, type ProbeListener, type ProbeTarget } from '../ops/peer-probe.ts';
import { isIP } from 'node:net';

/**
 * All hosts listen on the ports of Kubernetes and probe each other, in one script each and at the same time. Only where it
 * tells something new: hosts that are all nodes of this cluster already know each other. The disk of etcd is measured after it.
 */
export const probePeers: ClusterPhase<Cluster> = probePeersWhere(
  ({ members, config }) => !members.every(({ facts }) => facts.identity?.clusterName === config.metadata.name),
);

/** The same, where `isWanted` says so. */
export function probePeersWhere(isWanted: (cluster: Cluster) => boolean): ClusterPhase<Cluster> {
  return {
    scope: 'cluster',
    id: 'probe-peers',
    title: 'Probe the network',
    runsOnDryRun: true,
    async run(cluster, { signal }) {
      const { members } = cluster;
      if (!isWanted(cluster)) return [];
      const names = members.map(({ config }) => config.name);
      const token = randomBytes(6).toString('hex');
      const answers = await Promise.all(
        members.map(async (member, index) => {
          const plan = members.length < 2 ? undefined : planProbe(cluster, index, token);
          return { member, ...(await probe(member, { plan, writes: hasNewEtcd(member, cluster) }, names, signal)) };
        }),
      );
      cluster.peers = new Map(
        answers.flatMap(({ member, report }) => (report === undefined ? [] : [[member.config.name, report]])),
      );
      cluster.fsyncMs = new Map(
        answers.flatMap(({ member, fsyncMs }) => (fsyncMs === undefined ? [] : [[member.config.name, fsyncMs]])),
      );
      return [];
    },
  };
}

interface Answer {
  readonly report?: PeerReport;
  readonly fsyncMs?: number | undefined;
}

/** Where a disk is to be measured: never under an etcd that runs. */
function hasNewEtcd(member: Member, cluster: Cluster): boolean {
  return (
    isControlPlane(member) &&
    member.facts.isRoot &&
    member.facts.identity === undefined &&
    !ignoredChecks(cluster).includes('disk-speed')
  );
}

async function probe(
  member: Member,
  { plan, writes }: { readonly plan: PeerProbe | undefined; readonly writes: boolean },
  names: readonly string[],
  signal: AbortSignal,
): Promise<Answer> {
  const peers = plan === undefined || !member.facts.tools.has('bash') ? undefined : peerProbeQuery(plan);
  const missing = plan === undefined ? {} : { report: missingReport('it has no bash') };
  const queries = [...(peers === undefined ? [] : [peers]), ...(writes ? [fsyncQuery] : [])];
  if (queries.length === 0) return missing;
  try {
    const timeoutMs = (plan?.windowMs ?? 0) + 25_000;
    const seen = await member.host.observeOnce(queries, { timeoutMs, signal, together: true });
    return {
      ...(peers === undefined ? missing : { report: parsePeerReport(seen(peers), names) }),
      ...(writes ? { fsyncMs: parseFsync(commandText(seen(fsyncQuery))) } : {}),
    };
  } catch (error) {
    if (signal.aborted) throw error;
    return plan === undefined ? {} : { report: missingReport(messageOf(error)) };
  }
}

/** What the host of that place in the file does. Ports that something listens on already are probed, and not listened on. */
export function planProbe(cluster: Cluster, index: number, token: string): PeerProbe {
  const { members } = cluster;
  const self = members[index];
  if (self === undefined) throw new RangeError(`there is no member ${index}`);
  const others = members.flatMap((member, peer) => (peer === index ? [] : [{ member, peer }]));
  const listenWith = (['systemd-socket-activate', 'socat'] as const).find((tool) => self.facts.tools.has(tool));
  const listeners = listenWith === undefined ? [] : listenersOf(cluster, self, others);
  const hearsUdp = listeners.some(({ protocol }) => protocol === 'udp');
  return {
    self: index,
    address: self.nodeAddress,
    token,
    listenWith,
    // Others begin a little sooner or later: the more hosts, the longer.
    windowMs: 3000 + members.length * 10,
    udpPort: vxlanPort,
    largeBytes: largeBytesOf(self),
    largeFrom: others.flatMap(({ peer }) => (hearsUdp && sendsLarge(cluster, peer, index) ? [peer] : [])),
    listeners,
    targets: others.map(({ member, peer }): ProbeTarget => {
      // A port that a stranger holds is told by ports-free; to knock there would only keep it from being free again soon.
      const isOfStranger = (port: number): boolean =>
        isTaken(member.facts.listeners, 'tcp', port) && !belongsToCluster(member, cluster);
      const ports = neededPorts(self, member, cluster).flatMap(({ protocol, port }) =>
        protocol === 'tcp' ? [port] : [],
      );
      return {
        peer,
        address: member.nodeAddress,
        tcpPorts: [rendezvousPort, ...ports.filter((port) => port !== rendezvousPort)].filter(
          (port) => !isOfStranger(port),
        ),
        isSentLarge: sendsLarge(cluster, index, peer),
      };
    }),
  };
}

function sendsLarge({ members }: Cluster, from: number, to: number): boolean {
  const [source, target] = [members[from], members[to]];
  if (source === undefined || target === undefined || !isSentLarge(from, to, members.length)) return false;
  return largeBytesOf(source) > 0 && isIP(source.nodeAddress) === isIP(target.nodeAddress);
}

/** What fits into one packet: the MTU without an IP header and one of UDP; 0 where the MTU is not known. */
function largeBytesOf(member: Member): number {
  const mtu = member.facts.mtus.get(interfaceOf(member) ?? '');
  return mtu === undefined ? 0 : mtu - (isIP(member.nodeAddress) === 6 ? 40 : 20) - 8;
}

type Peer = { readonly member: Member; readonly peer: number };

function listenersOf(cluster: Cluster, self: Member, others: readonly Peer[]): ProbeListener[] {
  const all = others.map(({ peer }) => peer);
  const byPort = Map.groupBy(
    others.flatMap(({ member, peer }) =>
      neededPorts(member, self, cluster).flatMap(({ protocol, port }) => (protocol === 'tcp' ? [{ port, peer }] : [])),
    ),
    ({ port }) => port,
  );
  const wanted: ProbeListener[] = [
    ...[...byPort].map(([port, rows]) => ({ protocol: 'tcp', port, peers: rows.map(({ peer }) => peer) }) as const),
    { protocol: 'udp', port: vxlanPort, peers: all },
  ];
  return wanted.filter(({ protocol, port }) => !isTaken(self.facts.listeners, protocol, port));
}
