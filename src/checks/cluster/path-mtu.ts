import { pairKey } from '../../hosts/peer-report.ts';
import { interfaceOf, type Cluster, type Member } from '../../kubernetes/cluster.ts';
import { isSentLarge, vxlanPort } from '../../kubernetes/peer-ports.ts';
import type { ClusterCheck } from '../check.ts';
import { blame, namesOf, type Blamed, type FailedPair } from './blame.ts';

/**
 * Each host sends one datagram as large as its interface allows, with fragmentation forbidden, as the kernel does for UDP. Where a
 * small one arrived and it did not, a link between is narrower and nobody tells: large packets of pods would vanish.
 */
export const mtuConsistent: ClusterCheck = {
  id: 'mtu-consistent',
  scope: 'cluster',
  title: 'Large packets do not arrive',
  severity: 'error',
  expected: 'a datagram of the size of the MTU arrives on every other host in one piece',
  remedy:
    'set the same MTU on the interfaces of all hosts and on the switches between them (ip link set dev NAME mtu N)',
  source:
    'RFC 2923, "TCP Problems with Path MTU Discovery"; network plugins take the MTU of the interface for that of the path',
  reads: ['peerProbe', 'links'],
  run(cluster) {
    const failed = cluster.members.flatMap(({ config: { name } }) => lostOf(cluster, name));
    if (failed.length === 0) return [];
    const names = cluster.members.map(({ config }) => config.name);
    const tried = names.flatMap((from, index) =>
      names.flatMap((to, other) => (isSentLarge(index, other, names.length) ? [{ from, to }] : [])),
    );
    const blamed = blame(failed, tried);
    return blamed.flatMap(({ host, isTarget, others }) => {
      const same = blamed.some((entry) => entry.host === host && entry.isTarget !== isTarget && areSame(entry, others));
      // A link has two ends: what it loses in both directions is told once.
      if (same && !isTarget) return [];
      const memberOf = (name: string): Member | undefined => cluster.members.find(({ config }) => config.name === name);
      const mtu = (name: string): string => String(mtuOf(memberOf(name)));
      const sizes = [...new Set((isTarget ? others : [host]).map(mtu))].join(' and ');
      const where = same ? 'from and to' : isTarget ? 'from' : 'to';
      return [
        {
          host,
          seen: `no large datagram ${same ? 'from, and none arrived on' : isTarget ? 'from' : 'arrived on'} ${namesOf(others)}`,
          about: isLineOf(memberOf(host)),
          actual: `packets of ${sizes} bytes ${where} ${namesOf(others)} are lost; the MTU here is ${mtu(host)}`,
        },
      ];
    });
  },
};

function areSame({ others }: Blamed, names: readonly string[]): boolean {
  return others.length === names.length && others.every((name) => names.includes(name));
}

function mtuOf(member: Member | undefined): number | undefined {
  return member?.facts.mtus.get(interfaceOf(member) ?? '');
}

/** Large datagrams that a host missed although the small ones arrived. */
function lostOf(cluster: Cluster, to: string): FailedPair[] {
  const report = cluster.peers.get(to);
  return [...(report?.silentLarge ?? [])].flatMap((from) => {
    const hasSmall = report?.silent.has(pairKey(from, 'udp', vxlanPort)) === false;
    const hasSent = cluster.peers.get(from)?.missing === undefined;
    return hasSmall && hasSent && !report.deaf.has(`udp/${vxlanPort}`) ? [{ from, to }] : [];
  });
}

/** The line of the interface that carries the node address: `2: eth0: …`, `2: eth0@if3: …`. */
function isLineOf(member: Member | undefined): (line: string) => boolean {
  const name = member && interfaceOf(member);
  return (line) => line.split(' ')[1]?.replace(/(@.*)?:$/, '') === name;
}
