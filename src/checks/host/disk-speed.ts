import type { HostCheck } from '../check.ts';

/** Measured by probe-peers, on control planes that have no etcd yet, and nowhere where this check is ignored. */
export const diskSpeed: HostCheck = {
  id: 'disk-speed',
  scope: 'host',
  title: 'The disk of etcd is slow',
  severity: 'warning',
  expected: ({ fsyncMs }) =>
    `of a hundred small synchronous writes where etcd will be, 99 take less than ${fsyncMs} ms each`,
  remedy:
    'give /var/lib/etcd a disk of its own, best an SSD; ignore the check (spec.checks.ignore) to have nothing written',
  source: 'etcd, "Hardware recommendations": the 99th percentile of fdatasync below 10 ms; host requirements',
  reads: ['fsyncProbe'],
  run(member, cluster) {
    const { fsyncMs } = cluster.config.spec.checks.thresholds;
    const measured = cluster.probed.get(member.config.name)?.fsyncMs;
    return measured === undefined || measured <= fsyncMs
      ? []
      : [{ actual: `99 of 100 within ${measured.toFixed(1)} ms`, seen: `slowest hundredth ${measured.toFixed(2)} ms` }];
  },
};
