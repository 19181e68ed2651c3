import { describe, expect, it } from 'vitest';
import { createFakeHost, type FakeHost } from '../../test/support/fake-host.ts';
import { changesOn, converge, planOn } from '../../test/support/steps.ts';
import { coversPorts, procPath, sysctlStep, type SysctlSetting } from './sysctl-step.ts';

describe('sysctlStep beside what others set', () => {
  const path = '/etc/sysctl.d/zz-installer.conf';
  const step = (...settings: SysctlSetting[]): ReturnType<typeof sysctlStep> => sysctlStep('s', path, settings);

  function host(values: Readonly<Record<string, string>>, elsewhere: string): FakeHost {
    const files = Object.fromEntries(Object.entries(values).map(([key, value]) => [procPath(key), `${value}\n`]));
    const made = createFakeHost('n1', { files });
    made.on('/bin/sh -c set --', elsewhere);
    return made;
  }

  it.each<[string, SysctlSetting, string, string, string[], string]>([
    [
      'leaves a value that somebody set, and says so',
      { key: 'vm.overcommit_memory', value: '1' },
      '2',
      '/etc/sysctl.d/10-own.conf:vm.overcommit_memory=2\n',
      ['set kernel parameters: vm.overcommit_memory stays 2 (/etc/sysctl.d/10-own.conf)'],
      '2',
    ],
    [
      'takes the same value elsewhere for no difference',
      { key: 'vm.overcommit_memory', value: '1' },
      '0',
      '/etc/sysctl.conf:vm.overcommit_memory = 1\n',
      ['set kernel parameters: vm.overcommit_memory 0 -> 1'],
      '1',
    ],
    [
      'leaves a lower limit that somebody set',
      { key: 'vm.max_map_count', value: '262144', raiseOnly: true },
      '70000',
      '/etc/sysctl.d/99-own.conf:vm.max_map_count = 70000\n',
      ['set kernel parameters: vm.max_map_count stays 70000 (/etc/sysctl.d/99-own.conf)'],
      '70000',
    ],
    [
      'goes over an earlier file where Kubernetes needs it',
      { key: 'net.ipv4.ip_forward', value: '1', isRequired: true },
      '0',
      '/etc/sysctl.d/10-own.conf:net/ipv4/ip_forward = 0\n',
      ['set kernel parameters: net.ipv4.ip_forward 0 -> 1 (over /etc/sysctl.d/10-own.conf)'],
      '1',
    ],
    [
      'goes over an earlier file where the cluster file says so',
      { key: 'vm.swappiness', value: '10', isOwn: true },
      '60',
      '/etc/sysctl.d/10-own.conf:-vm.swappiness = 60\n',
      ['set kernel parameters: vm.swappiness 60 -> 10 (over /etc/sysctl.d/10-own.conf)'],
      '10',
    ],
    [
      'goes over sysctl.conf, which is read as 99-sysctl.conf at boot',
      { key: 'net.ipv4.ip_forward', value: '1', isRequired: true },
      '0',
      '/etc/sysctl.conf:net.ipv4.ip_forward=0\n/etc/sysctl.d/99-sysctl.conf:net.ipv4.ip_forward=0\n',
      ['set kernel parameters: net.ipv4.ip_forward 0 -> 1 (over /etc/sysctl.conf)'],
      '1',
    ],
    [
      'goes over a file of a package',
      { key: 'net.ipv4.ip_forward', value: '1', isRequired: true },
      '0',
      '/usr/lib/sysctl.d/99-x.conf:net.ipv4.ip_forward = 0\n',
      ['set kernel parameters: net.ipv4.ip_forward 0 -> 1 (over /usr/lib/sysctl.d/99-x.conf)'],
      '1',
    ],
    [
      'leaves a value of a package',
      { key: 'vm.overcommit_memory', value: '1' },
      '0',
      '/usr/lib/sysctl.d/99-x.conf:vm.overcommit_memory = 0\n',
      ['set kernel parameters: vm.overcommit_memory stays 0 (/usr/lib/sysctl.d/99-x.conf)'],
      '0',
    ],
    [
      'adds ports to those that are reserved',
      { key: 'net.ipv4.ip_local_reserved_ports', value: '30000-32767', addsPorts: true },
      '8080,9000-9010',
      '',
      ['set kernel parameters: net.ipv4.ip_local_reserved_ports 8080,9000-9010 -> 8080,9000-9010,30000-32767'],
      '8080,9000-9010,30000-32767',
    ],
    [
      'takes a wider range of reserved ports as it is',
      { key: 'net.ipv4.ip_local_reserved_ports', value: '30000-32767', addsPorts: true },
      '8080,29000-33000',
      '',
      ['set kernel parameters'],
      '8080,29000-33000',
    ],
  ])('%s', async (_name, setting, current, elsewhere, summaries, value) => {
    const made = host({ [setting.key]: current }, elsewhere);

    expect(await converge(made, step(setting))).toEqual(summaries);
    expect(made.text(procPath(setting.key))).toBe(`${value}\n`);
  });

  it.each<[SysctlSetting, string]>([
    [{ key: 'net.ipv4.ip_forward', value: '1', isRequired: true }, 'Kubernetes needs net.ipv4.ip_forward = 1'],
    [{ key: 'net.ipv4.ip_forward', value: '1', isOwn: true }, 'the cluster file wants net.ipv4.ip_forward = 1'],
  ])('stops where a file that is read later undoes %j', async (setting, reason) => {
    for (const file of ['/etc/sysctl.d/zzz.conf', '/usr/lib/sysctl.d/zz-site.conf']) {
      const made = host({ 'net.ipv4.ip_forward': '0' }, `${file}:net.ipv4.ip_forward = 0\n`);
      expect(await planOn(made, step(setting))).toMatchObject({
        kind: 'blocked',
        code: 'SYSCTL_CONFLICT',
        reason: expect.stringContaining(`${reason}, but ${file}`) as string,
      });
    }
  });

  describe('and its file of earlier versions', () => {
    const former = '/etc/sysctl.d/90-installer.conf';
    const settings = [
      { key: 'net.ipv4.ip_forward', value: '1', isRequired: true },
      { key: 'vm.max_map_count', value: '262144', raiseOnly: true },
    ];
    const text =
      '# Written by the installer for Kubernetes; installer reset and restore-host take it away.\nnet.ipv4.ip_forward = 1\nvm.max_map_count = 500000\n';
    const start = (content: string): FakeHost => {
      const lines = content.split('\n').filter((line) => line.includes('='));
      const made = host(
        { 'net.ipv4.ip_forward': '1', 'vm.max_map_count': '300000' },
        lines.map((line) => `${former}:${line}\n`).join(''),
      );
      made.write(former, content);
      return made;
    };

    it('takes it away, with what it raised', async () => {
      const made = start(text);

      expect(await converge(made, sysctlStep('s', path, settings, former))).toEqual([
        'set kernel parameters: vm.max_map_count 300000 -> 500000',
      ]);
      expect([made.files.has(former), made.text(path)]).toEqual([false, text]);
      expect(made.record.ids()).toContain('file:etc:sysctl.d:90-installer.conf');
    });

    it.each([
      ['of somebody else', 'vm.max_map_count = 300000\n'],
      ['with more in it than the settings', `${text}vm.swappiness = 5\n`],
    ])('leaves one %s', async (_name, content) => {
      const made = start(content);

      await converge(made, sysctlStep('s', path, settings, former));

      expect(made.text(former)).toBe(content);
    });
  });

  it('says in its file whose value it goes over', async () => {
    const forward = { key: 'net.ipv4.ip_forward', value: '1', isRequired: true };
    const made = host({ 'net.ipv4.ip_forward': '1' }, '/etc/sysctl.conf:net.ipv4.ip_forward=0\n');

    await converge(made, step(forward));

    expect(made.text(path)?.split('\n').slice(1)).toEqual(['# /etc/sysctl.conf sets 0', 'net.ipv4.ip_forward = 1', '']);
  });

  it('leaves out what the kernel does not have, unless it is needed', async () => {
    const made = host({}, '');
    const optional = { key: 'kernel.keys.root_maxkeys', value: '1' };

    expect((await changesOn(made, step(optional)))[0]?.after).not.toContain('root_maxkeys');
    expect((await changesOn(made, step({ ...optional, isOwn: true })))[0]?.after).toContain('root_maxkeys = 1');
  });

  it.each([
    ['net.ipv4.ip_forward', '/proc/sys/net/ipv4/ip_forward'],
    ['net.ipv4.conf.eth0/1.rp_filter', '/proc/sys/net/ipv4/conf/eth0.1/rp_filter'],
  ])('finds %s at %s', (key, found) => {
    expect(procPath(key)).toBe(found);
  });

  it.each([
    ['30000-32767', true],
    ['1,30000-32768', true],
    ['30001-32767', false],
    ['', false],
  ])('sees whether %j covers the range of NodePorts: %s', (list, covers) => {
    expect(coversPorts(list, '30000-32767')).toBe(covers);
  });
});
