import { describe, expect, it } from 'vitest';
import { testCluster, testConfig } from '../../test/support/cluster.ts';
import type { Facts } from '../hosts/facts.ts';
import type { Probed } from '../hosts/probed.ts';
import { expectedOf, runChecks } from './check.ts';
import { checks } from './index.ts';

describe('what a check expects', () => {
  it.each<[string, string, Partial<Facts>, Probed, string]>([
    ['cpu', 'cpuCores: 6', { cpus: 5 }, {}, 'at least 6 cores on a control plane'],
    [
      'memory',
      'controlPlaneMemoryMiB: 4096',
      { memoryBytes: 1024 ** 3 },
      {},
      'at least 4096 MiB on a control plane, 1700 MiB on a worker',
    ],
    [
      'clock-in-sync',
      'clockSkewMs: 500',
      { clockMs: 1_900_000_000_800 },
      {},
      'within 500 ms of the median of all hosts; 5 s at most',
    ],
    ['resolver-answers', 'resolverMs: 1500', { resolverMs: 1600 }, {}, 'an answer, also "no such name", within 1.5 s'],
    [
      'disk-speed',
      'fsyncMs: 25',
      {},
      { fsyncMs: 30 },
      'of a hundred small synchronous writes where etcd will be, 99 take less than 25 ms each',
    ],
    ['bandwidth', 'bandwidthMbits: 9000', {}, { bandwidth: { to: 'w1', mbits: 10 } }, 'at least 9000 Mbit/s to the'],
    ['disk-iops', 'diskIops: 70', {}, { disk: { iops: 1, megabytesPerSecond: 900 } }, 'at least 70 writes of 4 KiB'],
    ['disk-throughput', 'diskMBs: 70', {}, { disk: { iops: 900, megabytesPerSecond: 1 } }, 'at least 70 MB/s, '],
  ])('of %s has the numbers of the file', (id, thresholds, facts, probed, expected) => {
    const config = testConfig(`  checks: { measure: [bandwidth, disk], thresholds: { ${thresholds} } }\n`);
    const cluster = testCluster({ config, facts: { cp1: facts } });
    cluster.probed = new Map([['cp1', probed]]);
    const check = checks.find((candidate) => candidate.id === id);
    if (check === undefined) throw new Error(`no ${id}`);

    const found = runChecks([check], cluster).filter(({ host }) => host === 'cp1');

    expect(found.map((finding) => finding.expected)).toEqual([expect.stringContaining(expected)]);
    expect(expectedOf(check)).not.toContain(expected);
  });

  it('of the latency is never more than the error begins at', () => {
    const cluster = testCluster({ config: testConfig('  checks: { thresholds: { roundTripMs: 40 } }\n') });
    const latency = checks.find(({ id }) => id === 'latency');

    expect(latency && expectedOf(latency, cluster.config.spec.checks.thresholds)).toContain('at most 40 ms');
  });
});
