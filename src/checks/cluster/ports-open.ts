import { isTaken } from '../../hosts/facts-network.ts';
import { pairKey, type PeerReport } from '../../hosts/peer-report.ts';
import type { Cluster, Member } from '../../kubernetes/cluster.ts';
import { opensFirewall } from '../../kubernetes/firewall-ports.ts';
import { neededPorts, rendezvousPort, type NeededPort } from '../../kubernetes/peer-ports.ts';
import { listenToolOf } from '../../kubernetes/probe-plan.ts';
import type { ClusterCheck } from '../check.ts';
import { willBeOpened } from '../host/security.ts';
import { blame, namesOf, type FailedPair } from './blame.ts';
import { clockOffsetMs } from '../../kubernetes/clock.ts';

type Found = ReturnType<ClusterCheck['run']>[number];

/** Two hosts must have been at it together for so long before silence between them counts. */
const overlapMs = 1200;

/**
 * Every host listened and probed (see ops/peer-probe). Nobody is blamed for what could not be tried: a host that cannot listen,
 * that came too late, or on whose port something listens already and does not answer.
 */
export const portsOpen: ClusterCheck = {
  id: 'ports-open',
  scope: 'cluster',
  title: 'A port of Kubernetes cannot be reached from another host',
  severity: 'error',
  expected:
    'the hosts reach each other on the ports of Kubernetes and of the network plugin, by TCP and UDP, both ways',
  remedy:
    'open the port in the firewall of the host, and in those between the hosts (security groups, ACLs of the switches)',
  source:
    'Kubernetes, "Ports and protocols"; host requirements: every node reaches the control plane and the ports of the CNI',
  reads: ['peerProbe'],
  run(cluster) {
    const failed = failedPairs(cluster);
    return [...(failed.length === 0 ? [] : failures(cluster, failed)), ...notTried(cluster)];
  },
};

interface FailedPort extends FailedPair {
  readonly needed: NeededPort;
}

/** What did not arrive where somebody listened for it, and was sent by somebody who probed. */
function failedPairs(cluster: Cluster): FailedPort[] {
  const byName = new Map(cluster.members.map((member) => [member.config.name, member]));
  return cluster.members.flatMap((to) => {
    const target = cluster.peers.get(to.config.name);
    return [...(target?.silent ?? [])].flatMap((key): FailedPort[] => {
      const [name = ''] = key.split(' ');
      const from = byName.get(name);
      if (from === undefined) return [];
      const needed = neededPorts(from, to, cluster).find(({ protocol, port }) => pairKey(name, protocol, port) === key);
      if (needed === undefined || !hasFailed(cluster, from, to, needed)) return [];
      return [{ from: name, to: to.config.name, needed }];
    });
  });
}

function hasFailed(cluster: Cluster, from: Member, to: Member, needed: NeededPort): boolean {
  const [source, target] = [cluster.peers.get(from.config.name), cluster.peers.get(to.config.name)];
  const { protocol, port } = needed;
  if (source === undefined || source.missing !== undefined || !isListening(to, target, needed)) return false;
  const unreached = (tcpPort: number): boolean => source.unreached.has(pairKey(to.config.name, 'tcp', tcpPort));
  if (protocol === 'tcp' && !unreached(port)) return false;
  // Who reached the rendezvous port knew that the other listened, sent its datagrams then, and may have ended soon after.
  const hasMet =
    protocol === 'udp' && !unreached(rendezvousPort) && !isTaken(to.facts.listeners, 'tcp', rendezvousPort);
  return hasMet || overlapOf(from, source, to, target) >= overlapMs;
}

function isListening(member: Member, report: PeerReport | undefined, { protocol, port }: NeededPort): boolean {
  if (report === undefined || report.missing !== undefined || listenToolOf(member) === undefined) return false;
  return !report.deaf.has(`${protocol}/${port}`) && !isTaken(member.facts.listeners, protocol, port);
}

/** How long the one probed while the other listened, in milliseconds: their clocks are compared by the offsets of both. */
export function overlapOf(
  from: Member,
  source: PeerReport | undefined,
  to: Member,
  target: PeerReport | undefined,
): number {
  if (source === undefined || target === undefined) return 0;
  const [ofFrom, ofTo] = [clockOffsetMs(from) ?? 0, clockOffsetMs(to) ?? 0];
  const begin = Math.max(source.startMs - ofFrom, target.upMs - ofTo);
  const end = Math.min(source.endMs - ofFrom, target.endMs - ofTo);
  return end - begin;
}

/** One finding for a port of a host, whoever does not reach it; and one for a host that reaches nobody. */
function failures(cluster: Cluster, all: readonly FailedPort[]): Found[] {
  const byPort = Map.groupBy(all, ({ needed }) => `${needed.port}/${needed.protocol}`);
  return [...byPort].flatMap(([port, failed]) => {
    const tried = triedPairs(cluster, port);
    return blame(failed, tried).map(({ host, isTarget, others }): Found => {
      const mine = failed.filter(({ from, to }) => (isTarget ? to : from) === host);
      const what = [...new Set(mine.map(({ needed }) => needed.what))].join(', ');
      const member = cluster.members.find(({ config }) => config.name === host);
      return {
        host,
        severity: mine.some(({ needed }) => needed.severity === 'error') ? 'error' : 'warning',
        seen: `nothing arrived of ${namesOf(mine.map(({ from, to }) => `${from} to ${to}:${port}`))}`,
        actual: isTarget
          ? `${port} (${what}) cannot be reached from ${namesOf(others)}`
          : `${port} (${what}) of ${namesOf(others)} cannot be reached from here, and can from other hosts`,
        ...(isTarget && member !== undefined && opensFirewall(member, cluster) ? willBeOpened : {}),
      };
    });
  });
}

function triedPairs(cluster: Cluster, wanted: string): FailedPair[] {
  return cluster.members.flatMap((from) =>
    cluster.members.flatMap((to) => {
      if (from === to) return [];
      const needed = neededPorts(from, to, cluster).find(({ protocol, port }) => `${port}/${protocol}` === wanted);
      if (needed === undefined || !isListening(to, cluster.peers.get(to.config.name), needed)) return [];
      return cluster.peers.get(from.config.name)?.missing === undefined
        ? [{ from: from.config.name, to: to.config.name }]
        : [];
    }),
  );
}

/** One line for a host that took no part, or could not listen. */
function notTried(cluster: Cluster): Found[] {
  return cluster.members.flatMap((member): Found[] => {
    const report = cluster.peers.get(member.config.name);
    const why =
      report?.missing ??
      (listenToolOf(member) === undefined
        ? 'it has neither systemd-socket-activate nor socat to listen with'
        : [...(report?.deaf ?? [])].map((port) => `nothing could listen on ${port}`).join(', '));
    if (report === undefined || why === '') return [];
    return [
      {
        host: member.config.name,
        title: 'Not checked',
        severity: 'info',
        isUnchecked: true,
        actual: `not checked: ${why}`,
        seen: why,
        remedy: 'nothing to do where the ports are known to be open; else install bash and systemd 230 or socat',
      },
    ];
  });
}
