import { clockErrors } from '../../kubernetes/clock.ts';
import type { Member } from '../../kubernetes/cluster.ts';
import { inSeconds } from '../../lib/size.ts';
import type { ClusterCheck } from '../check.ts';

/** Each host's clock against the median of all. */
export const clockInSync: ClusterCheck = {
  id: 'clock-in-sync',
  scope: 'cluster',
  title: 'A clock is off',
  severity: 'error',
  expected: ({ clockSkewMs }) =>
    `within ${inSeconds(clockSkewMs)} of the median of all hosts; ${inSeconds(clockSkewMs * 10)} at most`,
  remedy: 'set up chrony or another time service on the host, or name time servers in spec.hostSettings.ntp',
  source: 'Kubernetes, certificates and leases compare clocks; etcd, "Hardware recommendations"',
  reads: ['clock'],
  run(cluster) {
    const warnMs = cluster.config.spec.checks.thresholds.clockSkewMs;
    const errors = clockErrors(cluster);
    return cluster.members.flatMap((member) => {
      const host = member.config.name;
      const ahead = errors.get(host) ?? 0;
      const off = Math.abs(ahead);
      if (off <= warnMs) return [];
      const actual = `${(off / 1000).toFixed(1)} s ${ahead > 0 ? 'ahead' : 'behind'}`;
      return [{ host, actual, seen: readingOf(member), severity: off > warnMs * 10 ? 'error' : 'warning' } as const];
    });
  },
};

/** Both clocks, in milliseconds since the epoch. */
function readingOf({ facts: { clockMs = 0, askedAtMs = 0, roundTripMs = 0 } }: Member): string {
  return `${clockMs}, asked at ${askedAtMs} by the clock of the installer, round trip ${roundTripMs.toFixed(0)} ms`;
}
