import { describe, expect, it } from 'vitest';
import { findingsOf, ours } from '../../../test/support/findings.ts';
import { testCluster, testConfig } from '../../../test/support/cluster.ts';
import type { Facts } from '../../hosts/facts.ts';
import { runChecks } from '../check.ts';
import { diskFree } from './disk-free.ts';

const gib = 1024 ** 3;

/** Free GiB by mount. */
const free = (mounts: Readonly<Record<string, number>>): Partial<Facts> => ({
  freeBytes: new Map(Object.entries(mounts).map(([mount, size]) => [mount, size * gib])),
});
const thresholds = (text: string): string => `  checks: { thresholds: { ${text} } }\n`;

describe('disk-free', () => {
  it.each<[string, Readonly<Record<string, number>>, string, string[]]>([
    ['enough', { '/': 151 }, '', []],
    ['one file system, too small for production', { '/': 100 }, '', ['warning: 100.0 GiB free on /']],
    ['one that is full', { '/': 2.9 }, '', ['error: 2.9 GiB free on /']],
    [
      'mounts of their own, each by its number',
      {
        '/': 151,
        '/opt': 29,
        '/usr/local': 3,
        '/var/lib': 51,
        '/var/lib/containerd': 99,
        '/var/lib/kubelet': 2,
      },
      '',
      [
        'warning: 29.0 GiB free on /opt',
        'warning: 99.0 GiB free on /var/lib/containerd',
        'error: 2.0 GiB free on /var/lib/kubelet',
      ],
    ],
    [
      'a full file system of images',
      { '/': 151, '/var/lib/containerd': 1 },
      '',
      ['error: 1.0 GiB free on /var/lib/containerd'],
    ],
    ['/var, by what needs most there', { '/': 151, '/var': 60 }, '', ['warning: 60.0 GiB free on /var']],
    ['/var, with its largest part elsewhere', { '/': 151, '/var': 60, '/var/lib/containerd': 101 }, '', []],
    ['less, where the file says that it is enough', { '/': 6 }, thresholds("diskFreeGiB: { '/': 5 }"), []],
    [
      'less than the floor, where the file has less for the path',
      { '/': 2 },
      thresholds("diskFreeGiB: { '/': 1 }"),
      [],
    ],
    ['a lower floor', { '/': 2 }, thresholds('diskFloorGiB: 1'), ['warning: 2.0 GiB free on /']],
    ['a higher floor', { '/': 20 }, thresholds('diskFloorGiB: 30'), ['error: 20.0 GiB free on /']],
    ['a disk for etcd on a worker', { '/': 151, '/var/lib/etcd': 1 }, '', []],
  ])('judges %s', (_name, mounts, spec, expected) => {
    expect(findingsOf(diskFree, { facts: { w1: free(mounts) }, spec })).toEqual(expected.map((line) => `w1 ${line}`));
  });

  it('judges the disk of etcd on a control plane', () => {
    expect(findingsOf(diskFree, { facts: { cp1: free({ '/': 151, '/var/lib/etcd': 9 }) } })).toEqual([
      'cp1 warning: 9.0 GiB free on /var/lib/etcd',
    ]);
  });

  it('stops no node that runs', () => {
    expect(findingsOf(diskFree, { facts: { w1: { ...free({ '/': 2 }), identity: ours } } })).toEqual([
      'w1 warning: 2.0 GiB free on /',
    ]);
  });

  it('says what it expects of the file system that it found', () => {
    const cluster = testCluster({
      config: testConfig(thresholds('diskFloorGiB: 7')),
      facts: { w1: free({ '/opt': 8 }) },
    });

    expect(runChecks([diskFree], cluster).map(({ expected }) => expected)).toEqual([
      'at least 7 GiB free on /opt, and better 30 GiB',
    ]);
  });
});
