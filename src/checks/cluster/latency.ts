import type { Cluster } from '../../kubernetes/cluster.ts';
import type { ClusterCheck } from '../check.ts';
import { namesOf } from './blame.ts';

/** The quickest TCP handshake between two hosts, in either direction. */
export const latency: ClusterCheck = {
  id: 'latency',
  scope: 'cluster',
  title: 'The way between hosts is long',
  severity: 'warning',
  expected: ({ roundTripMs }) =>
    `a round trip of at most ${roundTripMs} ms between any two hosts (2 ms are good within a site, and 100 ms the most that guides allow)`,
  remedy: 'put the hosts of one cluster into one site; etcd holds elections where answers come late',
  source:
    'host requirements: 2 ms in a site, 30 ms and 100 ms at most between sites; etcd, "Tuning": heartbeat of 100 ms',
  reads: ['peerProbe'],
  run(cluster) {
    const warnMs = cluster.config.spec.checks.thresholds.roundTripMs;
    const slow = [...roundTrips(cluster)].filter(([, ms]) => ms > warnMs);
    const found = [];
    // The host that is far from most is named first; pairs that it explains are told no more.
    let left = slow.map(([key, ms]) => ({ names: key.split(' '), ms }));
    while (left.length > 0) {
      const counts = Map.groupBy(
        left.flatMap(({ names }) => names),
        (name) => name,
      );
      const [host = ''] = [...counts.keys()].toSorted(
        (a, b) =>
          (counts.get(b)?.length ?? 0) - (counts.get(a)?.length ?? 0) || orderOf(cluster, b) - orderOf(cluster, a),
      );
      const mine = left.filter(({ names }) => names.includes(host));
      left = left.filter((pair) => !mine.includes(pair));
      const worst = Math.max(...mine.map(({ ms }) => ms));
      const others = mine.map(({ names }) => names.find((name) => name !== host) ?? '');
      found.push({
        host,
        actual: `${worst.toFixed(0)} ms to ${namesOf(others)}`,
        seen: `handshake ${namesOf(mine.map(({ ms }, index) => `${others[index] ?? ''} ${ms.toFixed(1)} ms`))}`,
      });
    }
    return found;
  },
};

function orderOf(cluster: Cluster, name: string): number {
  return cluster.members.findIndex(({ config }) => config.name === name);
}

/** Milliseconds by pair of names, the smaller name first. */
function roundTrips(cluster: Cluster): Map<string, number> {
  const quickest = new Map<string, number>();
  for (const [name, { slow }] of cluster.peers) {
    for (const [peer, micros] of slow) {
      // The other direction was quick where it is not told.
      const back = cluster.peers.get(peer);
      if (back?.missing === undefined && back?.slow.has(name) !== true) continue;
      const pair = [name, peer].toSorted().join(' ');
      quickest.set(pair, Math.min(quickest.get(pair) ?? Number.POSITIVE_INFINITY, micros / 1000));
    }
  }
  return quickest;
}
