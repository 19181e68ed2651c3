import { describe, expect, it } from 'vitest';
import { createFakeHost, type FakeHost } from '../../test/support/fake-host.ts';
import { changesOn, converge, planOn } from '../../test/support/steps.ts';
import { dnf } from '../hosts/packages/dnf.ts';
import { apt } from '../hosts/packages/apt.ts';
import { kernelModulesStep, moduleFeatures } from './kernel-modules-step.ts';
import { installAction, packagesStep } from './packages-step.ts';
import { renderRepositories, repositoriesSteps } from './repositories-step.ts';
import { restoreSelinuxConfig, selinuxStep, setSelinuxMode } from './selinux-step.ts';
import { timeServersStep, timeZoneStep } from './time-steps.ts';
import { unitsOffStep } from './unit-off-step.ts';

describe('kernelModulesStep with modules of the user', () => {
  it('loads what is missing, and names what is loaded for the next boot, but not what is built in', async () => {
    const made = createFakeHost('n1', {
      files: { '/proc/filesystems': '', '/proc/modules': 'ip_vs_rr 1 0 - Live 0x0\n' },
    });
    const there = new Set(['ip-vs-rr', 'builtin']);
    made.on('/bin/sh -c b=/lib/modules', (argv) =>
      argv
        .slice(4)
        .filter((name) => there.has(name))
        .join('\n'),
    );
    made.on('modprobe ip_vs', () => (there.add('ip_vs'), made.write('/proc/modules', 'ip_vs_rr 1\nip_vs 1\n'), ''));
    const step = kernelModulesStep(
      'm',
      '/etc/modules-load.d/installer.conf',
      moduleFeatures(['ip_vs', 'ip-vs-rr', 'builtin']),
    );

    expect(await converge(made, step)).toEqual(['load kernel modules ip_vs']);
    expect(made.text('/etc/modules-load.d/installer.conf')).toBe('ip_vs\nip-vs-rr\n');
  });
});

describe('selinuxStep', () => {
  const config = '/etc/selinux/config';
  const files = { [config]: 'SELINUX=enforcing\nSELINUXTYPE=targeted\n', '/sys/fs/selinux/enforce': '1' };

  it.each<[string, 'permissive' | 'disabled', Readonly<Record<string, string>>, string[], string | undefined]>([
    ['is not there', 'permissive', {}, [], undefined],
    [
      'enforces',
      'permissive',
      files,
      ['SELinux becomes permissive', 'SELinux is permissive from the next boot on'],
      'SELINUX=permissive\nSELINUXTYPE=targeted\n',
    ],
    [
      'is permissive and should be off',
      'disabled',
      { [config]: 'SELINUX=permissive\n', '/sys/fs/selinux/enforce': '0' },
      ['SELinux is disabled from the next boot on'],
      'SELINUX=disabled\n',
    ],
    ['is off and should be permissive', 'permissive', { [config]: 'SELINUX=disabled\n' }, [], 'SELINUX=disabled\n'],
  ])('where it %s', async (_name, mode, given, summaries, content) => {
    const made = createFakeHost('n1', { files: given });

    expect(await converge(made, selinuxStep('selinux', mode))).toEqual(summaries);
    expect(made.text(config)).toBe(content);
  });

  it('takes only its line out of a file that was edited since', () => {
    expect(restoreSelinuxConfig('# mine\nSELINUX=permissive\n', 'SELINUX=enforcing\n')).toBe(
      '# mine\nSELINUX=enforcing\n',
    );
    expect(restoreSelinuxConfig('a\nSELINUX=permissive\n', 'a\n')).toBe('a\n');
    expect(setSelinuxMode('a', 'disabled')).toBe('a\nSELINUX=disabled\n');
  });
});

describe('unitsOffStep', () => {
  it('stops what runs and disables what starts at boot, and leaves the rest', async () => {
    const made = createFakeHost('n1', {
      services: {
        'a.service': { unitFileState: 'enabled', activeState: 'active' },
        'b.timer': { unitFileState: 'static', activeState: 'active' },
        'c.service': { unitFileState: 'enabled', activeState: 'inactive' },
        'd.service': { unitFileState: 'masked', activeState: 'inactive' },
      },
    });
    const step = unitsOffStep('off', ['a.service', 'b.timer', 'c.service', 'd.service', 'e.service']);

    expect(await converge(made, step)).toEqual(['stop and disable a.service', 'stop b.timer', 'disable c.service']);
    expect(made.record.ids()).toEqual(['unit:a.service', 'unit:b.timer', 'unit:c.service']);
  });
});

describe('packagesStep', () => {
  const tools = [
    { tool: 'socat', package: 'socat' },
    { tool: 'tc', package: 'iproute2' },
    { tool: 'ss', package: 'iproute2' },
  ];

  function host(paths: string[], installed: string): FakeHost {
    const made = createFakeHost('n1');
    made.on('/bin/sh -c for t in', () => paths.join('\n'));
    made.on('dpkg-query', { stdout: installed, exitCode: 1 });
    made.on('apt-get', (argv) => {
      if (argv.includes('install')) paths.push('/usr/bin/socat', '/sbin/tc', '/usr/bin/ss');
      return '';
    });
    return made;
  }

  it('installs what is missing, once each, as a unit whose result is recorded', async () => {
    const step = packagesStep({
      id: 'p',
      source: { manager: apt, prepare: () => [], finish: [] },
      clusterId: 'c1',
      tools,
      packages: ['jq', 'curl'],
    });
    const made = host([], 'ii  curl\nrc  jq\n');

    const [change] = await changesOn(made, step);

    expect(change?.summary).toBe('install packages socat, iproute2, jq (for socat, tc, ss)');
    expect(change?.actions).toEqual([installAction(apt, 'c1', ['socat', 'iproute2', 'jq'])]);
    expect(change?.actions).toMatchObject([
      {
        kind: 'long',
        unit: expect.stringMatching(/^installer-c1-packages-[0-9a-f]{8}$/) as string,
        recordPackages: apt.record,
      },
    ]);
  });

  it('plans nothing where all is there, and nothing where nobody knows', async () => {
    const step = packagesStep({
      id: 'p',
      source: { manager: apt, prepare: () => [], finish: [] },
      clusterId: 'c1',
      tools,
      packages: [],
    });
    expect(await converge(host([], ''), step)).toEqual(['install packages socat, iproute2 (for socat, tc, ss)']);
    expect(await converge(host(['/a/socat', '/a/tc', '/a/ss'], ''), step)).toEqual([]);
    const broken = host([], '');
    broken.on('/bin/sh -c for t in', { unknown: 'too slow' });
    expect(await planOn(broken, step)).toMatchObject({ kind: 'blocked', code: 'PACKAGES_UNKNOWN' });
  });

  it('has another unit for other packages', () => {
    expect(installAction(dnf, 'c1', ['a']).unit).not.toBe(installAction(dnf, 'c1', ['a', 'b']).unit);
  });
});

describe('repositoriesSteps', () => {
  const repositories = [
    {
      name: 'site',
      url: 'http://m/debian',
      suites: ['bookworm'],
      components: ['main'],
      keyFile: '/k',
      signedIndex: true,
    },
    { name: 'flat', url: 'http://m/flat', suites: [], components: [], signedIndex: false },
  ];

  const open = { access: new Map(), secrets: new Map() };

  it('writes them for apt', () => {
    expect(renderRepositories('apt-get', repositories))
      .toBe(`# Written by the installer; installer reset and restore-host take it away.
X-Name: site
Types: deb
URIs: http://m/debian
Suites: bookworm
Components: main
Signed-By: /etc/installer/keys/site.asc

X-Name: flat
Types: deb
URIs: http://m/flat
Suites: ./
Trusted: yes
`);
  });

  it('writes them for dnf, yum and zypper', () => {
    const text = renderRepositories('dnf', repositories);
    expect(text).toBe(`# Written by the installer; installer reset and restore-host take it away.
[installer-site]
name=site
baseurl=http://m/debian
enabled=1
gpgcheck=1
gpgkey=file:///etc/installer/keys/site.asc
repo_gpgcheck=1

[installer-flat]
name=flat
baseurl=http://m/flat
enabled=1
gpgcheck=0
`);
    expect(renderRepositories('zypper', repositories)).toBe(text);
  });

  it.each([
    [
      'apt-get',
      apt,
      '/etc/apt/sources.list.d/installer.sources',
      '/etc/apt/sources.list',
      '/etc/apt/sources.list.d/a.list',
    ],
    ['dnf', dnf, '/etc/yum.repos.d/installer.repo', '/etc/yum.repos.d/a.repo', '/etc/yum.repos.d/b.repo'],
  ])('puts the others of %s aside where that is asked for', async (_name, manager, own, ...others) => {
    const files = Object.fromEntries([...others, '/etc/apt/sources.list.d/kept.save'].map((path) => [path, 'deb x\n']));
    const made = createFakeHost('n1', { files });
    made.on('find', () => [...made.files.keys()].filter((path) => files[path] !== undefined).join('\n'));
    const input = { id: 'r', manager, repositories, exclusive: true, keys: new Map([['/k', 'KEY\n']]), ...open };

    for (const step of repositoriesSteps(input)) await converge(made, step);

    expect(made.text('/etc/installer/keys/site.asc')).toBe('KEY\n');
    expect(made.text(own)).toContain('http://m/debian');
    expect(others.filter((path) => made.files.has(path))).toEqual([]);
    expect(made.record.ids()).toHaveLength(4);
    expect(repositoriesSteps({ ...input, exclusive: false })).toHaveLength(2);
  });
});

describe('timeZoneStep', () => {
  function host(now: string, files: Readonly<Record<string, string>> = {}): FakeHost {
    const made = createFakeHost('n1', { files: { '/usr/share/zoneinfo/Asia/Tokyo': '', ...files } });
    const zone = (): string => (made.text('/etc/localtime') === undefined ? now : '/usr/share/zoneinfo/Asia/Tokyo');
    made.on('readlink', () => `${zone()}\n/usr/share/zoneinfo/Asia/Tokyo\n`);
    return made;
  }

  it('links the zone and names it where the distribution does', async () => {
    const made = host('/usr/share/zoneinfo/Etc/UTC', { '/etc/timezone': 'Etc/UTC\n' });
    expect(await converge(made, timeZoneStep('z', 'Asia/Tokyo'))).toEqual([
      'set the time zone Asia/Tokyo',
      'write Asia/Tokyo to /etc/timezone',
    ]);
    expect(made.text('/etc/localtime')).toBe('-> ../usr/share/zoneinfo/Asia/Tokyo');
  });

  it('does nothing where the zone is the same by another name, and refuses one that nobody knows', async () => {
    expect(await converge(host('/usr/share/zoneinfo/Asia/Tokyo'), timeZoneStep('z', 'Asia/Tokyo'))).toEqual([]);
    expect(await planOn(host(''), timeZoneStep('z', 'Mars/Olympus'))).toMatchObject({ code: 'TIME_ZONE_UNKNOWN' });
  });
});

describe('timeServersStep', () => {
  const chrony = { unit: 'chronyd.service', config: '/etc/chrony.conf' };
  const step = timeServersStep({
    id: 't',
    servers: ['a', 'b'],
    chrony,
    install: () => [installAction(dnf, 'c1', ['chrony'])],
    isClockOff: false,
  });

  function host(has: 'chrony' | 'timesyncd' | 'neither'): FakeHost {
    const unit = has === 'chrony' ? chrony.unit : 'systemd-timesyncd.service';
    const made = createFakeHost('n1', { services: has === 'neither' ? {} : { [unit]: { unitFileState: 'disabled' } } });
    made.on('/bin/sh -c for t in', () => (made.services.has(chrony.unit) ? '/usr/sbin/chronyd\n' : ''));
    made.on('/bin/sh -c removed=', '');
    made.on('dnf', (argv) => {
      if (argv.includes('install')) made.services.set(chrony.unit, { ...servicesOf(made) });
      return '';
    });
    return made;
  }

  const servicesOf = (made: FakeHost): NonNullable<ReturnType<FakeHost['services']['get']>> => {
    const other = createFakeHost('n2', { services: { x: { unitFileState: 'enabled' } } }).services.get('x');
    if (other === undefined) throw new Error(made.name);
    return other;
  };

  it.each<['chrony' | 'timesyncd' | 'neither', string, string, string[]]>([
    ['chrony', chrony.config, 'server a iburst\nserver b iburst\n', ['take', 'enable']],
    ['timesyncd', '/etc/systemd/timesyncd.conf.d/90-installer.conf', 'NTP=a b\n', ['take', 'enable']],
    ['neither', chrony.config, 'server a iburst\nserver b iburst\n', ['install', 'enable']],
  ])('with %s writes %s', async (has, path, text, words) => {
    const made = host(has);

    const summaries = await converge(made, step);

    expect(summaries.map((summary) => summary.split(' ')[0])).toEqual(words);
    expect(made.text(path)).toContain(text);
  });

  it.each<['chrony' | 'timesyncd', string]>([
    ['chrony', 'chronyc waitsync'],
    ['timesyncd', 'timedatectl show-timesync'],
  ])('with %s waits until a clock that is off is set', async (has, command) => {
    const input = { id: 't', servers: ['a', 'b'], chrony, install: undefined };
    const lastOf = async (isClockOff: boolean) =>
      (await changesOn(host(has), timeServersStep({ ...input, isClockOff })))[0]?.actions.at(-1);

    expect(await lastOf(false)).toMatchObject({ kind: 'service', do: 'restart' });
    expect(await lastOf(true)).toMatchObject({
      kind: 'run',
      argv: ['/bin/sh', '-c', expect.stringContaining(command), 'sh', 'a', 'b'],
    });
  });

  it('refuses a host on which nothing can keep the time', async () => {
    const alone = timeServersStep({ id: 't', servers: ['a'], chrony, install: undefined, isClockOff: false });
    expect(await planOn(host('neither'), alone)).toMatchObject({ code: 'NO_TIME_SERVICE' });
  });
});
