import type { ClusterCheck } from '../check.ts';

const warnMs = 1000;
const errorMs = 10_000;

/** Each host's clock against the median of all. All hosts are asked in the same moment, give or take a round trip. */
export const clockInSync: ClusterCheck = {
  id: 'clock-in-sync',
  scope: 'cluster',
  title: 'A clock is off',
  severity: 'error',
  expected: 'within 1 s of the median of all hosts; 10 s at most',
  remedy: 'set up chrony or another time service on the host',
  source: 'Kubernetes, certificates and leases compare clocks; etcd, "Hardware recommendations"',
  run(cluster) {
    const rows = cluster.members.flatMap(({ config, facts }) =>
      facts.clockMs === undefined || facts.askedAtMs === undefined
        ? []
        : [{ host: config.name, offsetMs: facts.clockMs - facts.askedAtMs }],
    );
    const sorted = rows.map(({ offsetMs }) => offsetMs).toSorted((a, b) => a - b);
    const median = sorted[Math.floor((sorted.length - 1) / 2)] ?? 0;
    return rows.flatMap(({ host, offsetMs }) => {
      const off = Math.abs(offsetMs - median);
      if (off <= warnMs) return [];
      const actual = `${(off / 1000).toFixed(1)} s ${offsetMs > median ? 'ahead' : 'behind'}`;
      return [{ host, actual, severity: off > errorMs ? 'error' : 'warning' } as const];
    });
  },
};
