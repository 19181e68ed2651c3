import type { Member } from '../../kubernetes/cluster.ts';
import { inSeconds } from '../../lib/size.ts';
import type { ClusterCheck } from '../check.ts';

/** Each host's clock against the median of all: it was read half a round trip after the host was asked. */
export const clockInSync: ClusterCheck = {
  id: 'clock-in-sync',
  scope: 'cluster',
  title: 'A clock is off',
  severity: 'error',
  expected: ({ clockSkewMs }) =>
    `within ${inSeconds(clockSkewMs)} of the median of all hosts; ${inSeconds(clockSkewMs * 10)} at most`,
  remedy: 'set up chrony or another time service on the host',
  source: 'Kubernetes, certificates and leases compare clocks; etcd, "Hardware recommendations"',
  reads: ['clock'],
  run(cluster) {
    const rows = cluster.members.flatMap((member) => {
      const offsetMs = clockOffsetMs(member);
      return offsetMs === undefined ? [] : [{ host: member.config.name, offsetMs, seen: readingOf(member) }];
    });
    const warnMs = cluster.config.spec.checks.thresholds.clockSkewMs;
    const sorted = rows.map(({ offsetMs }) => offsetMs).toSorted((a, b) => a - b);
    const median = sorted[Math.floor((sorted.length - 1) / 2)] ?? 0;
    return rows.flatMap(({ host, offsetMs, seen }) => {
      const off = Math.abs(offsetMs - median);
      if (off <= warnMs) return [];
      const actual = `${(off / 1000).toFixed(1)} s ${offsetMs > median ? 'ahead' : 'behind'}`;
      return [{ host, actual, seen, severity: off > warnMs * 10 ? 'error' : 'warning' } as const];
    });
  },
};

/** How far the host's clock is ahead of the installer's, in milliseconds. */
export function clockOffsetMs({ facts }: Member): number | undefined {
  const { clockMs, askedAtMs, roundTripMs = 0 } = facts;
  return clockMs === undefined || askedAtMs === undefined ? undefined : clockMs - askedAtMs - roundTripMs / 2;
}

/** Both clocks, in milliseconds since the epoch. */
function readingOf({ facts: { clockMs = 0, askedAtMs = 0, roundTripMs = 0 } }: Member): string {
  return `${clockMs}, asked at ${askedAtMs} by the clock of the installer, round trip ${roundTripMs.toFixed(0)} ms`;
}
