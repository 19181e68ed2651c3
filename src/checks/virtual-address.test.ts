import { describe, expect, it } from 'vitest';
import { testCluster, testConfig } from '../../test/support/cluster.ts';
import { findingsOf, ours } from '../../test/support/findings.ts';
import type { Facts } from '../hosts/facts.ts';
import type { Probed } from '../hosts/probed.ts';
import { runChecks } from './check.ts';
import { vipFree } from './cluster/vip-free.ts';
import { interfaceExists, vipInSubnet } from './host/virtual-address.ts';

const spec = (address: string, name?: string): string =>
  `  kubernetes: { virtualAddress: { address: ${address}${name === undefined ? '' : `, interface: ${name}`} } }\n`;
const eth0 = { interface: 'eth0', address: '10.0.0.11', prefixLength: 24 };

describe('interface-exists', () => {
  it.each([
    ['none is named', spec('10.0.0.100'), []],
    ['it is there', spec('10.0.0.100', 'eth0'), []],
    ['it is not on the control plane', spec('10.0.0.100', 'bond0'), ['cp1 error: no bond0 among eth0']],
  ])('where %s', (_name, given, expected) => {
    expect(findingsOf(interfaceExists, { facts: {}, spec: given })).toEqual(expected);
  });
});

describe('vip-in-subnet', () => {
  it.each<[string, string, Partial<Facts>, string[]]>([
    ['inside', spec('10.0.0.100'), {}, []],
    ['no address at all in the file', '', {}, []],
    ['outside', spec('10.0.1.100'), {}, ['cp1 error: 10.0.1.100 is not in 10.0.0.0/24 of eth0']],
    ['the first address', spec('10.0.0.0'), {}, ['cp1 error: 10.0.0.0 is the network address of 10.0.0.0/24']],
    ['the last address', spec('10.0.0.255'), {}, ['cp1 error: 10.0.0.255 is the broadcast address of 10.0.0.0/24']],
    ['an interface that is missing, which another check tells', spec('10.0.1.100', 'bond0'), {}, []],
    [
      'in the subnet of another interface alone',
      spec('10.0.0.100', 'eth1'),
      { mtus: new Map([['eth1', 1500]]) },
      ['cp1 error: 10.0.0.100 is not in no IPv4 subnet of eth1'],
    ],
    [
      'outside, though the interface has it already',
      spec('10.0.1.100'),
      { addresses: [eth0, { interface: 'eth0', address: '10.0.1.100', prefixLength: 32 }] },
      ['cp1 error: 10.0.1.100 is not in 10.0.0.0/24 of eth0'],
    ],
    ['one of two that are joined by a line', spec('10.0.0.10'), { addresses: [{ ...eth0, prefixLength: 31 }] }, []],
  ])('%s', (_name, given, cp1, expected) => {
    expect(findingsOf(vipInSubnet, { facts: { cp1 }, spec: given })).toEqual(expected);
  });
});

describe('vip-free', () => {
  const seenBy = (line: string, mac?: string, isSure = true): Probed => ({ neighbour: { line, mac, isSure } });
  const holds = (index: number): Partial<Facts> => ({
    addresses: [
      { interface: 'eth0', address: `10.0.0.${index}`, prefixLength: 24 },
      { interface: 'eth0', address: '10.0.0.100', prefixLength: 32 },
    ],
  });
  const stranger = '02:99:99:99:99:99';

  it.each<[string, Record<string, Partial<Facts>>, Record<string, Probed>, string[]]>([
    ['where nobody answers', {}, { cp1: seenBy('10.0.0.100 dev eth0 FAILED'), w1: seenBy('') }, []],
    [
      'where the control plane of this cluster has it',
      { cp1: { ...holds(11), identity: ours } },
      { cp1: seenBy('local'), w1: seenBy('… REACHABLE', '02:00:00:00:00:11') },
      [],
    ],
    [
      'where a machine that nobody knows answers',
      {},
      { cp1: seenBy('… REACHABLE', stranger), w1: seenBy('… REACHABLE', stranger), w2: seenBy('… FAILED') },
      [`cp1 error: ${stranger} answers for 10.0.0.100, asked from cp1, w1`],
    ],
    [
      'where one answers beside the control plane of this cluster',
      { cp1: { ...holds(11), identity: ours } },
      { cp1: seenBy('local'), w1: seenBy('… REACHABLE', stranger) },
      [`cp1 error: ${stranger} answers for 10.0.0.100, asked from w1`],
    ],
    [
      'where one answered before, and nobody knows about now',
      {},
      { w1: seenBy('… STALE', stranger, false) },
      [`cp1 warning: ${stranger} answered lately for 10.0.0.100, asked from w1`],
    ],
    [
      'where a host of the file has it',
      { w1: holds(21) },
      { cp1: seenBy('… REACHABLE', '02:00:00:00:00:21'), w1: seenBy('local') },
      ['w1 error: 10.0.0.100 is on eth0 of this host'],
    ],
    [
      'where the control plane has it from somebody else',
      { cp1: holds(11) },
      { cp1: seenBy('local') },
      ['cp1 error: 10.0.0.100 is on eth0 of this host'],
    ],
    [
      'where a host has nothing to ask with',
      {},
      { cp1: seenBy('routed'), w1: seenBy('unasked') },
      ['w1 info: not checked: the host has neither bash nor ping to send a packet by'],
    ],
  ])('%s', (_name, facts, probed, expected) => {
    const cluster = testCluster({ config: testConfig(spec('10.0.0.100')), facts });
    cluster.probed = new Map(Object.entries(probed));

    const found = runChecks([vipFree], cluster);

    expect(found.map(({ host, severity, actual }) => `${host ?? '-'} ${severity}: ${actual}`)).toEqual(expected);
  });
});
