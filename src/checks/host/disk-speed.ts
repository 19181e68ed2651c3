import { hasNewEtcd } from '../../kubernetes/probe-measures.ts';
import { notChecked, notMeasured, type HostCheck } from '../check.ts';

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
    if (!hasNewEtcd(member, cluster)) return [];
    if (!member.facts.isRoot)
      return [{ ...notChecked, actual: 'not measured: only root may write where etcd will be' }];
    const probed = cluster.probed.get(member.config.name);
    if (probed === undefined) return [];
    const measured = probed.fsyncMs;
    if (measured === undefined) return [notMeasured('the host gave no answer to the measurement')];
    return measured <= fsyncMs
      ? []
      : [{ actual: `99 of 100 within ${measured.toFixed(1)} ms`, seen: `slowest hundredth ${measured.toFixed(2)} ms` }];
  },
};
