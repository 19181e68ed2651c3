import { describe, expect, it } from 'vitest';
import { testCluster, testConfig } from '../../test/support/cluster.ts';
import { findingsOf, type FindingsInput } from '../../test/support/findings.ts';
import type { Facts } from '../hosts/facts.ts';
import { runChecks, type Check, type Finding } from './check.ts';
import { conflictingPackages, packagesInstallable } from './host/packages.ts';
import { apparmorUos } from './host/security.ts';
import { checks } from './index.ts';

function found(facts: FindingsInput['facts'], spec: string): Finding[] {
  return runChecks(checks, testCluster({ config: testConfig(spec), facts }));
}

const lineOf = ({ check, host, severity, actual }: Finding): string => `${check} ${host ?? '-'} ${severity}: ${actual}`;

const settings = (text: string): string => `  hostSettings: ${text}\n`;
const firstLook = 1_900_000_000_000;
const zone = (name: string): Partial<Facts> => ({ timeZone: { name, offset: '+0000' } });

const kylin = {
  os: { id: 'kylin', idLike: [], versionId: 'V10', prettyName: 'Kylin' },
  toolPaths: new Map([['runc', '/usr/bin/runc']]),
  toolPackages: new Map([['runc', 'docker-runc']]),
};
const uos = { id: 'uos', idLike: [], versionId: '24.04', prettyName: 'UOS' };

/** Name, facts of w1, what the file says, and the finding without and with it; the last is the field that is named. */
const mended: readonly [string, Partial<Facts>, string, string, string][] = [
  ['SELinux', { selinuxEnforcing: true }, '{ selinux: permissive }', 'selinux w1 warning: enforcing', 'selinux'],
  [
    'the hostname of another host',
    { hostname: 'host11' },
    '{ manageHostname: true }',
    'hostname-unique w1 error: hostname host11 is that of cp1 too',
    'manageHostname',
  ],
  [
    'an odd hostname',
    { hostname: 'A_b' },
    '{ manageHostname: true }',
    'hostname-valid w1 error: A_b',
    'manageHostname',
  ],
  [
    'a clock',
    { clockMs: firstLook + 60_000 },
    '{ ntp: { servers: [a] } }',
    'clock-in-sync w1 error: 60.0 s ahead',
    'ntp',
  ],
  [
    'a time zone',
    zone('Asia/Tokyo'),
    '{ timeZone: UTC }',
    'timezone-consistent w1 warning: Asia/Tokyo, and 2 hosts have UTC',
    'timeZone',
  ],
  [
    'upgrades',
    {
      automaticUpgrades: 'unattended-upgrades',
      tools: new Set([...(testCluster().members[0]?.facts.tools ?? []), 'apt-get']),
    },
    '{ unattendedUpgrades: disable }',
    'unattended-upgrades w1 warning: unattended-upgrades is active',
    'unattendedUpgrades',
  ],
  [
    'core dumps',
    { coreLimit: 'unlimited' },
    '{ coreDumps: disable }',
    'core-dumps w1 warning: ulimit -c is unlimited',
    'coreDumps',
  ],
  [
    'few tasks',
    { defaultTasksMax: 1024 },
    '{ defaultTasksMax: infinity }',
    'default-tasks-max w1 warning: DefaultTasksMax=1024',
    'defaultTasksMax',
  ],
];

describe('what the file asks prepare-hosts to mend', () => {
  it.each(mended)('is information: %s', (_name, facts, wanted, line, field) => {
    expect(found({ w1: facts }, '').map(lineOf)).toEqual([line]);

    const [told, ...more] = found({ w1: facts }, settings(wanted));

    expect(more).toEqual([]);
    expect(told && lineOf(told)).toBe(line.replace(/ (error|warning): /, ' info: '));
    expect(told?.remedy).toBe(`nothing to do: will be changed by prepare-hosts, as spec.hostSettings.${field} says`);
  });

  it.each<[string, Partial<Facts>, string]>([
    ['is not enough', { defaultTasksMax: 1024 }, '{ defaultTasksMax: 2000 }'],
    ['is a share that is not enough everywhere', { defaultTasksMax: 1024 }, '{ defaultTasksMax: 5% }'],
    [
      'was done already and did not help',
      { clockMs: firstLook + 60_000, ownTimeServers: ['a', 'b'] },
      '{ ntp: { servers: [a, b] } }',
    ],
    ['cannot be done by it', { automaticUpgrades: 'strange.timer' }, '{ unattendedUpgrades: disable }'],
  ])('stays what it is where that %s', (_name, facts, wanted) => {
    const [told] = found({ w1: facts }, settings(wanted));

    expect(told?.severity).toMatch(/^(error|warning)$/);
    expect(told?.remedy).not.toContain('nothing to do');
  });

  it('is AppArmor on UOS, and over when its profiles are gone', () => {
    const disable = settings('{ apparmor: disable }');
    const on = (apparmorProfiles: number | undefined, spec: string): string[] =>
      findingsOf(apparmorUos, { facts: { w1: { os: uos, apparmorEnabled: true, apparmorProfiles } }, spec });

    expect(on(7, '')).toEqual(['w1 error: enabled, 7 profiles loaded']);
    expect(on(7, disable)).toEqual(['w1 info: enabled, 7 profiles loaded']);
    expect(on(0, disable)).toEqual([]);
    expect(on(undefined, disable)).toEqual(['w1 info: enabled']);
  });

  it.each([
    ['', 'error'],
    ['{ removePackages: [runc] }', 'error'],
    ['{ removePackages: [docker-runc] }', 'info'],
  ])('is a package in the way that the file names: %j', (text, severity) => {
    const spec = text === '' ? '' : settings(text);

    expect(findingsOf(conflictingPackages, { facts: { w1: kylin }, spec })).toEqual([
      `w1 ${severity}: /usr/bin/runc (package docker-runc) of Kylin`,
    ]);
  });

  it.each([
    ['{ removePackages: [runc] }', 'info'],
    ['{ packages: [jq], removePackages: [runc] }', 'info'],
    ['{ packages: [jq], removePackages: [other] }', 'error'],
  ])('is a removal that was cut off: %s', (text, severity) => {
    const packageTrouble = ['dpkg was interrupted', 'half installed: runc'];

    expect(findingsOf(packagesInstallable, { facts: { w1: { packageTrouble } }, spec: settings(text) })).toEqual([
      `w1 ${severity}: dpkg was interrupted; half installed: runc`,
    ]);
  });

  it('has other servers where those that were given did not help', () => {
    const facts = { clockMs: firstLook + 60_000, ownTimeServers: ['old'] };

    expect(found({ w1: facts }, settings('{ ntp: { servers: [new] } }')).map(({ severity }) => severity)).toEqual([
      'info',
    ]);
  });

  it('is told for each host by itself, and what is not mended stays', () => {
    const facts = { w1: { swaps: ['/x'], cpus: 1 }, cp1: { cpus: 1 } };

    expect(found(facts, '').map(lineOf)).toEqual([
      'cpu cp1 error: 1 core',
      'cpu w1 error: 1 core',
      'swap-disabled w1 info: /x',
    ]);
  });

  it('counts as usual where prepare-hosts is left out', () => {
    const cluster = testCluster({ facts: { w1: { swaps: ['/x'] } } });
    const skipping = { ...cluster, options: { ...cluster.options, skipPhases: ['prepare-hosts'] } };

    expect(runChecks(checks, skipping).map(lineOf)).toEqual(['swap-disabled w1 error: /x']);
  });

  const several: Check = {
    id: 'several',
    scope: 'host',
    title: 'Several',
    severity: 'error',
    expected: 'a',
    remedy: 'b',
    source: 'c',
    reads: ['swaps'],
    run: ({ facts: { swaps, hostname } }) => [
      ...swaps.map((actual) => ({ actual })),
      ...(hostname === 'good' ? [] : [{ actual: 'hostname' }]),
      ...(swaps.length === 0 && hostname === 'spoilt' ? [{ actual: 'no swap' }] : []),
    ],
  };

  it('leaves the other findings of the same check as they are', () => {
    const good = { hostname: 'good' };
    const on = (hostname: string): string[] =>
      findingsOf(several, { facts: { cp1: good, w2: good, w1: { swaps: ['/a'], hostname } } });

    expect(on('odd')).toEqual(['w1 info: /a', 'w1 error: hostname']);
    expect(on('spoilt')).toEqual(['w1 error: /a', 'w1 error: hostname']);
  });
});

describe('swap', () => {
  const facts: Partial<Facts> = {
    swaps: ['/dev/sda2'],
    swapEntries: ['UUID=1 none swap sw 0 0'],
    swapUnits: [{ unit: 'dev-zram0.swap', state: 'generated' }],
  };
  const all = '/dev/sda2, UUID=1 in /etc/fstab, dev-zram0.swap generated';

  it.each<[string, Partial<Facts>, string, string[], RegExp]>([
    ['that is turned off', facts, '', [`swap-disabled w1 info: ${all}`], /will be changed by prepare-hosts/],
    [
      'of the next boot alone',
      { swapEntries: facts.swapEntries ?? [] },
      '',
      ['swap-disabled w1 info: UUID=1 in /etc/fstab'],
      /spec\.hostSettings\.swap says$/,
    ],
    [
      'that stays',
      facts,
      '  kubernetes: { kubelet: { failSwapOn: false } }\n  hostSettings: { swap: leave }\n',
      [`swap-disabled w1 info: ${all}`],
      /swap is leave, and kubelet is told to start with it/,
    ],
    ['there is none of', {}, '', [], /^$/],
  ])('%s', (_name, given, spec, lines, remedy) => {
    const told = found({ w1: given }, spec);

    expect(told.map(lineOf)).toEqual(lines);
    expect(told[0]?.remedy ?? '').toMatch(remedy);
  });
});
