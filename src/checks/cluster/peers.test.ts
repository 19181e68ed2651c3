import { describe, expect, it } from 'vitest';
import { testCluster, testConfig, type TestClusterInput } from '../../../test/support/cluster.ts';
import { missingReport, type PeerReport } from '../../hosts/peer-report.ts';
import { runChecks } from '../check.ts';
import { blame } from './blame.ts';
import { latency } from './latency.ts';
import { mtuConsistent } from './path-mtu.ts';
import { portsOpen } from './ports-open.ts';

type Reports = Readonly<Record<string, Partial<PeerReport>>>;

/** All was well, but what is given; every host listened for three seconds. */
function linesOf(reports: Reports, input: TestClusterInput = {}): string[] {
  const cluster = testCluster(input);
  const times = { startMs: 1_900_000_000_000, upMs: 1_900_000_000_100, endMs: 1_900_000_003_100 };
  cluster.peers = new Map(
    cluster.members.map(({ config: { name } }) => [
      name,
      { ...missingReport(''), missing: undefined, ...times, ...reports[name] },
    ]),
  );
  const found = runChecks([portsOpen, mtuConsistent, latency], cluster);
  return found.map(({ check, host, severity, actual }) => `${check} ${host ?? '-'} ${severity}: ${actual}`);
}

const set = (...keys: string[]): ReadonlySet<string> => new Set(keys);

describe('the checks of the way between hosts', () => {
  it('find nothing where everything arrived', () => {
    expect(linesOf({})).toEqual([]);
  });

  it('only tell of a port whose firewall prepare-hosts opens', () => {
    const config = testConfig('  hostSettings: { firewall: open }');
    const reports = { cp1: { silent: set('w1 tcp/6443') }, w1: { unreached: set('cp1 tcp/6443') } };
    const found = 'ports-open cp1 SEVERITY: 6443/tcp (API server) cannot be reached from w1';
    expect(linesOf(reports, { config, facts: { cp1: { firewall: 'ufw' } } })).toEqual([
      found.replace('SEVERITY', 'info'),
    ]);
    expect(linesOf(reports, { config })).toEqual([found.replace('SEVERITY', 'error')]);
  });

  it('say nothing where nobody was asked', () => {
    expect(runChecks([portsOpen, mtuConsistent, latency], testCluster())).toEqual([]);
  });

  it.each<[string, Reports, string[]]>([
    [
      'a port that nobody reaches',
      {
        cp1: { silent: set('w1 tcp/6443', 'w2 tcp/6443') },
        w1: { unreached: set('cp1 tcp/6443') },
        w2: { unreached: set('cp1 tcp/6443') },
      },
      ['ports-open cp1 error: 6443/tcp (API server) cannot be reached from w1, w2'],
    ],
    ['a port that was reached although what was sent is missing', { cp1: { silent: set('w1 tcp/6443') } }, []],
    [
      'datagrams between two hosts, in one direction',
      { w1: { silent: set('w2 udp/8472') } },
      ['ports-open w1 error: 8472/udp (flannel) cannot be reached from w2'],
    ],
    [
      'a host whose datagrams reach nobody',
      { cp1: { silent: set('w1 udp/8472') }, w2: { silent: set('w1 udp/8472') } },
      ['ports-open w1 error: 8472/udp (flannel) of cp1, w2 cannot be reached from here, and can from other hosts'],
    ],
    [
      'etcd that a worker does not reach',
      { cp1: { silent: set('w1 tcp/2379', 'w2 tcp/2379') }, w1: { unreached: set('cp1 tcp/2379') } },
      ['ports-open cp1 warning: 2379/tcp (etcd) cannot be reached from w1'],
    ],
    [
      'a host that came too late',
      {
        cp1: { silent: set('w1 tcp/6443', 'w1 udp/8472') },
        w1: { startMs: 1_900_000_002_500, endMs: 1_900_000_006_000, unreached: set('cp1 tcp/6443', 'cp1 tcp/10250') },
      },
      [],
    ],
    [
      'a host that could not probe',
      { w1: missingReport('it has no bash'), cp1: { silent: set('w1 tcp/6443', 'w1 udp/8472') } },
      ['ports-open w1 info: not checked: it has no bash'],
    ],
    [
      'a port that could not be listened on',
      { w1: { deaf: set('udp/8472'), silent: set('cp1 udp/8472', 'w2 udp/8472'), silentLarge: set('cp1') } },
      ['ports-open w1 info: not checked: nothing could listen on udp/8472'],
    ],
    [
      'large packets that vanish',
      { w1: { silentLarge: set('cp1', 'w2') } },
      ['mtu-consistent w1 error: packets of 1500 bytes from cp1, w2 are lost; the MTU here is 1500'],
    ],
    [
      'large packets that vanish in both directions',
      { w1: { silentLarge: set('w2', 'cp1') }, cp1: { silentLarge: set('w1') }, w2: { silentLarge: set('w1') } },
      ['mtu-consistent w1 error: packets of 1500 bytes from and to cp1, w2 are lost; the MTU here is 1500'],
    ],
    [
      'large packets that vanish together with the small ones',
      { w1: { silentLarge: set('cp1', 'w2'), silent: set('cp1 udp/8472', 'w2 udp/8472') } },
      ['ports-open w1 error: 8472/udp (flannel) cannot be reached from cp1, w2'],
    ],
    [
      'a host that is far away',
      {
        w1: {
          slow: new Map([
            ['cp1', 45_000],
            ['w2', 44_000],
          ]),
        },
        cp1: { slow: new Map([['w1', 43_000]]) },
        w2: { slow: new Map([['w1', 120_000]]) },
      },
      ['latency w1 warning: 44 ms to cp1, w2'],
    ],
    ['a way that was slow once, and in one direction', { w1: { slow: new Map([['cp1', 450_000]]) } }, []],
    [
      'a host in another part of the world',
      { w1: { slow: new Map([['cp1', 250_000]]) }, cp1: { slow: new Map([['w1', 251_000]]) } },
      ['latency w1 warning: 250 ms to cp1'],
    ],
  ])('judge %s', (_name, reports, expected) => {
    expect(linesOf(reports)).toEqual(expected);
  });

  it('blame nobody for a port that something holds already', () => {
    const listeners = [{ protocol: 'tcp', address: '*', port: 6443, process: 'haproxy' }] as const;
    const reports: Reports = { cp1: { silent: set('w1 tcp/6443') }, w1: { unreached: set('cp1 tcp/6443') } };

    expect(linesOf(reports, { facts: { cp1: { listeners } } })).toEqual([]);
  });

  it('compare the times of two hosts by their clocks', () => {
    const hourMs = 3_600_000;
    const reports: Reports = {
      cp1: { silent: set('w1 tcp/6443') },
      w1: {
        unreached: set('cp1 tcp/6443'),
        startMs: 1_900_000_000_000 + hourMs,
        upMs: 1_900_000_000_100 + hourMs,
        endMs: 1_900_000_003_100 + hourMs,
      },
    };

    expect(linesOf(reports, { facts: { w1: { clockMs: 1_900_000_000_000 + hourMs } } })).toEqual([
      'ports-open cp1 error: 6443/tcp (API server) cannot be reached from w1',
    ]);
    expect(linesOf(reports)).toEqual([]);
  });
});

describe('blame', () => {
  const names = ['a', 'b', 'c', 'd'];
  const all = names.flatMap((from) => names.flatMap((to) => (from === to ? [] : [{ from, to }])));

  it.each([
    ['nothing', [], []],
    [
      'all that lead to one',
      all.filter(({ to }) => to === 'b'),
      [{ host: 'b', isTarget: true, others: ['a', 'c', 'd'] }],
    ],
    [
      'all that come from one',
      all.filter(({ from }) => from === 'b'),
      [{ host: 'b', isTarget: false, others: ['a', 'c', 'd'] }],
    ],
    ['one pair', [{ from: 'a', to: 'c' }], [{ host: 'c', isTarget: true, others: ['a'] }]],
  ])('puts down %s', (_name, failed, expected) => {
    expect(blame(failed, all)).toEqual(expected);
  });
});
