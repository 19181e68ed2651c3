import { bandwidthObstacle, diskObstacle } from '../../kubernetes/probe-measures.ts';
import type { Cluster, Member } from '../../kubernetes/cluster.ts';
import type { DiskSpeed } from '../../ops/disk-probe.ts';
import { notChecked, notMeasured, type Found, type HostCheck } from '../check.ts';

export const bandwidth: HostCheck = {
  id: 'bandwidth',
  scope: 'host',
  title: 'The way to another host is narrow',
  severity: 'warning',
  expected: ({ bandwidthMbits }) =>
    `at least ${bandwidthMbits} Mbit/s to the next host of the file while all send at once; measured where spec.checks.measure has bandwidth`,
  remedy: 'look for a link that came up with a lower speed (ethtool), a shaper, or a switch that is too small',
  source: 'host requirements: at least 1 Gbit/s between hosts',
  reads: ['bandwidthProbe'],
  run(member, cluster) {
    const { measure, thresholds } = cluster.config.spec.checks;
    if (!measure.includes('bandwidth')) return [];
    const obstacle = bandwidthObstacle(cluster, member);
    if (obstacle !== undefined) return [notMeasured(obstacle)];
    const measured = cluster.probed.get(member.config.name)?.bandwidth;
    if (measured === undefined) return [notMeasured(noAnswer)];
    const { to, mbits } = measured;
    if (mbits === undefined) return [notMeasured(`${to} was not reached`)];
    const actual = `${mbits.toFixed(0)} Mbit/s to ${to}`;
    return mbits >= thresholds.bandwidthMbits ? [] : [{ actual, seen: actual }];
  },
};

export const diskIops: HostCheck = {
  id: 'disk-iops',
  scope: 'host',
  title: 'The disk makes few writes a second',
  severity: 'warning',
  expected: ({ diskIops }) =>
    `at least ${diskIops} writes of 4 KiB a second, one after the other at random places and past the cache; measured where spec.checks.measure has disk`,
  remedy: 'give /var/lib/containerd a faster disk, best an SSD; look for a limit of the hypervisor or the cloud',
  source: 'host requirements: more than 500 IOPS',
  reads: ['diskProbe'],
  run: (member, cluster) =>
    judgeDisk(member, cluster, ({ iops }) =>
      iops >= cluster.config.spec.checks.thresholds.diskIops
        ? []
        : [{ actual: `${iops.toFixed(0)} writes a second`, seen: `${iops.toFixed(1)} writes a second` }],
    ),
};

export const diskThroughput: HostCheck = {
  id: 'disk-throughput',
  scope: 'host',
  title: 'The disk writes slowly',
  severity: 'warning',
  expected: ({ diskMBs }) =>
    `at least ${diskMBs} MB/s, written past the cache where images will lie; measured where spec.checks.measure has disk`,
  remedy: 'give /var/lib/containerd a faster disk; look for a limit of the hypervisor or the cloud',
  source: 'host requirements: more than 200 MB/s',
  reads: ['diskProbe'],
  run: (member, cluster) =>
    judgeDisk(member, cluster, ({ megabytesPerSecond: rate }) =>
      rate >= cluster.config.spec.checks.thresholds.diskMBs
        ? []
        : [{ actual: `${rate.toFixed(0)} MB/s`, seen: `${rate.toFixed(1)} MB/s` }],
    ),
};

const noAnswer = 'the host gave no answer to the measurement';

/** Where the file asks for it: what is wrong with the disk, or why it was not measured. */
function judgeDisk(member: Member, cluster: Cluster, judge: (disk: DiskSpeed) => readonly Found[]): readonly Found[] {
  if (!cluster.config.spec.checks.measure.includes('disk')) return [];
  const obstacle = diskObstacle(member);
  if (obstacle !== undefined) return [notMeasured(obstacle)];
  if (!member.facts.isRoot)
    return [{ ...notChecked, actual: 'not measured: only root may write where images will be' }];
  const { disk, isDiskFull } = cluster.probed.get(member.config.name) ?? {};
  if (disk !== undefined) return judge(disk);
  return [notMeasured(isDiskFull === true ? 'less than 1 GiB is free for the file that is written' : noAnswer)];
}
