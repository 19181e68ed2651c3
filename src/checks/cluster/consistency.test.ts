import { describe, expect, it } from 'vitest';
import { findingsOf, ours } from '../../../test/support/findings.ts';
import type { Facts } from '../../hosts/facts.ts';
import { archConsistent, osConsistent, timezoneConsistent } from './consistency.ts';
import { macUnique, productUuidUnique } from './uniqueness.ts';

function os(id: string, versionId: string): Pick<Facts, 'os'> {
  return { os: { id, idLike: [], versionId, prettyName: id } };
}

function zone(name: string | undefined, offset: string): Pick<Facts, 'timeZone'> {
  return { timeZone: { name, offset } };
}

describe('os-consistent', () => {
  it.each<[string, Readonly<Record<string, Partial<Facts>>>, string[]]>([
    ['one for all', {}, []],
    ['an odd one', { w1: os('debian', '12') }, ['w1 error: debian 12, and 2 hosts have ubuntu 24.04']],
    ['another version', { cp1: os('ubuntu', '22.04') }, ['cp1 error: ubuntu 22.04, and 2 hosts have ubuntu 24.04']],
    ['one that is not known', { w1: os('unknown', '') }, []],
    [
      'three of them',
      { w1: os('debian', '12'), w2: os('rocky', '9') },
      ['w1 error: debian 12, and cp1 has ubuntu 24.04', 'w2 error: rocky 9, and cp1 has ubuntu 24.04'],
    ],
  ])('compares distributions: %s', (_name, facts, expected) => {
    expect(findingsOf(osConsistent, { facts })).toEqual(expected);
  });
});

it.each<[string, Partial<Facts>, string]>([
  ['of a new cluster', {}, 'error'],
  ['of a cluster that runs', { identity: ours }, 'warning'],
])('judges hosts %s that are unlike', (_name, facts, severity) => {
  const unlike = { cp1: facts, w1: { ...os('debian', '12'), architecture: 'arm64' } };

  expect(findingsOf(osConsistent, { facts: unlike })).toEqual([
    `w1 ${severity}: debian 12, and 2 hosts have ubuntu 24.04`,
  ]);
  expect(findingsOf(archConsistent, { facts: unlike })).toEqual([`w1 ${severity}: arm64, and 2 hosts have amd64`]);
});

describe('timezone-consistent', () => {
  it.each<[string, Readonly<Record<string, Partial<Facts>>>, string[]]>([
    ['one for all', {}, []],
    ['an odd one', { w2: zone('Europe/Berlin', '+0100') }, ['w2 warning: Europe/Berlin, and 2 hosts have UTC']],
    [
      'zones that are the same today',
      { w2: zone('Europe/London', '+0000') },
      ['w2 warning: Europe/London, and 2 hosts have UTC'],
    ],
    ['a zone without a name at the same distance', { w2: zone(undefined, '+0000') }, []],
    [
      'a zone without a name at another distance',
      { w2: zone(undefined, '+0800') },
      ['w2 warning: UTC+0800, and 2 hosts have UTC+0000'],
    ],
    ['a zone that could not be read', { w2: { timeZone: undefined } }, []],
  ])('compares time zones: %s', (_name, facts, expected) => {
    expect(findingsOf(timezoneConsistent, { facts })).toEqual(expected);
  });
});

describe('mac-unique', () => {
  const same = new Map([['eth0', '02:00:00:00:00:99']]);

  it('finds the address of a clone', () => {
    expect(findingsOf(macUnique, { facts: { cp1: { macAddresses: same }, w2: { macAddresses: same } } })).toEqual([
      'w2 error: MAC address 02:00:00:00:00:99 is that of cp1 too',
    ]);
  });

  it('says nothing of interfaces that do not carry the node address', () => {
    const bridge = new Map([['docker0', '02:42:00:00:00:01']]);

    expect(findingsOf(macUnique, { facts: { cp1: { macAddresses: bridge }, w2: { macAddresses: bridge } } })).toEqual(
      [],
    );
  });
});

it('says what could not be compared without root', () => {
  expect(findingsOf(productUuidUnique, { facts: { w1: { isRoot: false, productUuid: undefined } } })).toEqual([
    'w1 info: not checked: only root can read it',
  ]);
});
