import type { HostCheck } from '../check.ts';

const notThere = 'nothing to do where the figure is known otherwise';

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
  run({ config }, cluster) {
    const measured = cluster.probed.get(config.name)?.bandwidth;
    if (measured === undefined) return [];
    const { to, mbits } = measured;
    if (mbits === undefined)
      return [
        {
          title: 'Not measured',
          actual: `not measured: ${to} was not reached`,
          severity: 'info',
          isUnchecked: true,
          remedy: notThere,
        },
      ];
    const actual = `${mbits.toFixed(0)} Mbit/s to ${to}`;
    return mbits >= cluster.config.spec.checks.thresholds.bandwidthMbits ? [] : [{ actual, seen: actual }];
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
  run({ config }, cluster) {
    const iops = cluster.probed.get(config.name)?.disk?.iops;
    if (iops === undefined || iops >= cluster.config.spec.checks.thresholds.diskIops) return [];
    return [{ actual: `${iops.toFixed(0)} writes a second`, seen: `${iops.toFixed(1)} writes a second` }];
  },
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
  run({ config }, cluster) {
    const rate = cluster.probed.get(config.name)?.disk?.megabytesPerSecond;
    if (rate === undefined || rate >= cluster.config.spec.checks.thresholds.diskMBs) return [];
    return [{ actual: `${rate.toFixed(0)} MB/s`, seen: `${rate.toFixed(1)} MB/s` }];
  },
};
