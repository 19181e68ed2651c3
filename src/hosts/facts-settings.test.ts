import { describe, expect, it } from 'vitest';
import { createFakeHost, type CommandAnswer } from '../../test/support/fake-host.ts';
import { factQueries } from './fact-queries.ts';
import {
  mountOf,
  parseForwarding,
  parseHostsFile,
  parseLinks,
  parseSearch,
  parseSettings,
  type SettingsFacts,
} from './facts-settings.ts';

const links = `1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN mode DEFAULT group default qlen 1000\\    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00
2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc fq_codel state UP mode DEFAULT group default qlen 1000\\    link/ether 52:54:00:12:34:56 brd ff:ff:ff:ff:ff:ff
3: host0@if7: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP mode DEFAULT group default \\    link/ether 7a:69:8e:5f:00:01 brd ff:ff:ff:ff:ff:ff link-netnsid 0
4: tunl0@NONE: <NOARP> mtu 1480 qdisc noop state DOWN mode DEFAULT group default qlen 1000\\    link/ipip 0.0.0.0 brd 0.0.0.0
`;

const mounts = `/dev/vda1 / ext4 rw,relatime 0 0
tmpfs /tmp tmpfs rw,nosuid,nodev,size=10% 0 0
tmpfs /tmp tmpfs rw,noexec 0 0
`;

interface Given {
  readonly commands?: Readonly<Record<string, CommandAnswer>>;
  readonly files?: Readonly<Record<string, string>>;
}

/** Settings of a host that answers no command but the given ones. */
async function settingsOf({ commands = {}, files = {} }: Given): Promise<SettingsFacts> {
  const host = createFakeHost('n1', { files });
  host.on(/^/, 'absent');
  for (const [command, answer] of Object.entries(commands)) host.on(command, answer);
  return parseSettings(await host.observe(Object.values(factQueries)));
}

/** States of the probed units, in their order. */
function units(states: string): Readonly<Record<string, CommandAnswer>> {
  return { 'systemctl is-active': { exitCode: 3, stdout: states.replaceAll(' ', '\n') } };
}

const aptOn = { 'apt-config shell': "VALUE='1'\n", '/bin/sh -c for t': '/usr/bin/unattended-upgrade\n' };
const aptTimer = units('inactive inactive active inactive inactive inactive');

it('guesses nothing where nothing answers', async () => {
  expect(await settingsOf({})).toEqual({
    isRoot: true,
    macAddresses: new Map(),
    mtus: new Map(),
    timeZone: undefined,
    hostsFile: [],
    swapEntries: [],
    swapUnits: [],
    ownTimeServers: [],
    upstreamNameservers: undefined,
    selinuxEnforcing: false,
    hasContainerPolicy: false,
    forwarding: new Map(),
    firewall: undefined,
    ruleService: undefined,
    sysctlFiles: '',
    packageTrouble: [],
    toolPackages: new Map(),
    automaticUpgrades: undefined,
    moduleTrees: [],
    hasLoadedModules: false,
    mounts: [],
    temporaryFolderMode: undefined,
    xfsWithoutFileTypes: [],
    sshdUsesDns: false,
    sshdUnreadable: [],
    coreLimit: '',
    defaultTasksMax: undefined,
    transparentHugepages: undefined,
    kernelCommandLine: [],
    apparmorEnabled: false,
    apparmorProfiles: undefined,
    missingFeatures: [],
  } satisfies SettingsFacts);
});

describe('what a host is set up for', () => {
  it.each<[string, Given, Partial<SettingsFacts>]>([
    ['root', { commands: { 'id -u': '0\n' } }, { isRoot: true }],
    ['another account', { commands: { 'id -u': '1000\n' } }, { isRoot: false }],
    [
      'a zone',
      { commands: { 'date +%z': '+0100\n', 'readlink -f': '/usr/share/zoneinfo/Europe/Berlin\n' } },
      { timeZone: { name: 'Europe/Berlin', offset: '+0100' } },
    ],
    [
      'UTC by another name',
      { commands: { 'date +%z': '+0000\n', 'readlink -f': '/usr/share/zoneinfo/Etc/UTC\n' } },
      { timeZone: { name: 'UTC', offset: '+0000' } },
    ],
    [
      'a zone that is a copy',
      { commands: { 'date +%z': '+0800\n', 'readlink -f': '/etc/localtime\n' } },
      { timeZone: { name: undefined, offset: '+0800' } },
    ],
    [
      'systemd-resolved',
      { files: { '/run/systemd/resolve/resolv.conf': '# x\nnameserver 10.0.0.2\n' } },
      { upstreamNameservers: ['10.0.0.2'] },
    ],
    [
      'swap of the next boot',
      {
        files: {
          '/etc/fstab': '/dev/sda1 / ext4 defaults 0 1\n# /old none swap sw 0 0\n/swap.img  none\tswap sw 0 0\n',
        },
        commands: {
          '/bin/sh -c d=systemd': 'generated dev-zram0.swap\nmasked dev-sdb.swap\nenabled zramswap.service\n',
        },
      },
      {
        swapEntries: ['/swap.img none swap sw 0 0'],
        swapUnits: [
          { unit: 'dev-zram0.swap', state: 'generated' },
          { unit: 'zramswap.service', state: 'enabled' },
        ],
      },
    ],
    [
      'a configuration of sshd that the account may not read',
      { commands: { '/bin/sh -c conf=': 'unreadable /etc/ssh/sshd_config.d\nUseDNS no\n' } },
      { sshdUsesDns: false, sshdUnreadable: ['/etc/ssh/sshd_config.d'] },
    ],
    ['profiles of AppArmor', { commands: { '/bin/sh -c p=/sys': '12\n' } }, { apparmorProfiles: 12 }],
    [
      'time servers of ours',
      { commands: { '/bin/sh -c ours=': '10.0.0.1\n10.0.0.2\n' } },
      { ownTimeServers: ['10.0.0.1', '10.0.0.2'] },
    ],
    ['SELinux enforcing', { files: { '/sys/fs/selinux/enforce': '1' } }, { selinuxEnforcing: true }],
    ['SELinux permissive', { files: { '/sys/fs/selinux/enforce': '0' } }, { selinuxEnforcing: false }],
    ['firewalld', { commands: units('active inactive') }, { firewall: 'firewalld' }],
    [
      'ufw that is on',
      { commands: units('inactive active'), files: { '/etc/ufw/ufw.conf': '# x\nENABLED=yes\nLOGLEVEL=low\n' } },
      { firewall: 'ufw' },
    ],
    [
      'ufw that is enabled and whose unit never ran',
      {
        commands: units('inactive inactive'),
        files: {
          '/etc/ufw/ufw.conf': 'ENABLED=yes\n',
          '/etc/systemd/system/multi-user.target.wants/ufw.service': '',
        },
      },
      { firewall: 'ufw' },
    ],
    [
      'ufw that is enabled, with its unit off',
      { commands: units('inactive inactive'), files: { '/etc/ufw/ufw.conf': 'ENABLED=yes\n' } },
      { firewall: undefined },
    ],
    [
      'ufw that is installed only',
      { commands: units('inactive active'), files: { '/etc/ufw/ufw.conf': 'ENABLED=no\n' } },
      { firewall: undefined },
    ],
    ['apt upgrades', { commands: { ...aptOn, ...aptTimer } }, { automaticUpgrades: 'unattended-upgrades' }],
    [
      'apt upgrades turned off in its settings',
      { commands: { ...aptOn, ...aptTimer, 'apt-config shell': "VALUE='0'\n" } },
      { automaticUpgrades: undefined },
    ],
    [
      'apt upgrades without settings',
      { commands: { ...aptOn, ...aptTimer, 'apt-config shell': '' } },
      { automaticUpgrades: undefined },
    ],
    ['apt upgrades without the timer', { commands: aptOn }, { automaticUpgrades: undefined }],
    [
      'dnf that installs',
      {
        commands: units('inactive inactive inactive active inactive inactive'),
        files: { '/etc/dnf/automatic.conf': '[commands]\napply_updates = yes\n' },
      },
      { automaticUpgrades: 'dnf-automatic.timer' },
    ],
    [
      'dnf that downloads',
      {
        commands: units('inactive inactive inactive active inactive inactive'),
        files: { '/etc/dnf/automatic.conf': '[commands]\napply_updates = no\n' },
      },
      { automaticUpgrades: undefined },
    ],
    [
      'dnf5 that installs',
      {
        commands: units(`${'inactive '.repeat(8)}active`),
        files: { '/etc/dnf/automatic.conf': '[commands]\napply_updates = yes\n' },
      },
      { automaticUpgrades: 'dnf5-automatic.timer' },
    ],
    [
      'what upgrades openSUSE',
      { commands: units(`${'inactive '.repeat(10)}active`) },
      { automaticUpgrades: 'transactional-update.timer' },
    ],
    [
      'a policy for containers, and forwarding',
      {
        commands: {
          '/bin/sh -c ls -d': '/usr/share/selinux/packages/targeted/container.pp.bz2\n',
          '/bin/sh -c tell': '4 1\n',
        },
      },
      { hasContainerPolicy: true, forwarding: new Map([[4, { state: 'on', isFixed: false }]]) },
    ],
    [
      'modules',
      { commands: { 'ls -1 /lib/modules': '6.1.0-21-amd64\n', 'head -n 1 /proc/modules': 'overlay 1 0 - Live 0x0\n' } },
      { moduleTrees: ['6.1.0-21-amd64'], hasLoadedModules: true },
    ],
    [
      'XFS of both kinds',
      { commands: { '/bin/sh -c df': '/var/lib ftype=1\n/var/lib/containerd ftype=0\n' } },
      { xfsWithoutFileTypes: ['/var/lib/containerd'] },
    ],
    ['/tmp', { files: { '/tmp/x': '' } }, { temporaryFolderMode: '755' }],
  ])('reads %s', async (_name, given, expected) => {
    expect(await settingsOf(given)).toMatchObject(expected);
  });

  it('knows the last of several mounts on a path', async () => {
    expect((await settingsOf({ commands: { 'grep -E': mounts } })).mounts).toEqual([
      { path: '/', options: ['rw', 'relatime'] },
      { path: '/tmp', options: ['rw', 'noexec'] },
    ]);
  });
});

it('reads the MAC addresses of interfaces that have one', () => {
  expect(parseLinks(links)).toEqual(
    new Map([
      ['eth0', '52:54:00:12:34:56'],
      ['host0', '7a:69:8e:5f:00:01'],
    ]),
  );
});

it('reads /etc/hosts without its comments', () => {
  expect(parseHostsFile('# x\n127.0.0.1\tlocalhost me # loopback\n\n10.0.0.1\n')).toEqual([
    { address: '127.0.0.1', names: ['localhost', 'me'] },
  ]);
});

it.each([
  ['/etc', '/'],
  ['/var/lib', '/var/lib'],
  ['/var/lib/x', '/var/lib'],
  ['/var/libx', '/'],
])('finds the mount of %s', (path, expected) => {
  const all = ['/', '/var/lib', '/usr'].map((mount) => ({ path: mount, options: [] }));

  expect(mountOf(all, path)?.path).toBe(expected);
});

it('reads forwarding by IP family', () => {
  expect([...parseForwarding('4 1\n6 0 fixed\n')]).toEqual([
    [4, { state: 'on', isFixed: false }],
    [6, { state: 'off', isFixed: true }],
  ]);
  expect([...parseForwarding('4 0\n6 none\nsh: nonsense\n')]).toEqual([
    [4, { state: 'off', isFixed: false }],
    [6, { state: 'none', isFixed: false }],
  ]);
});

it.each([
  ['', []],
  ['domain a.example\n', ['a.example']],
  ['search a.example  b.example\n#search c\nsearch d.example\n', ['d.example']],
])('reads the search list of %j', (text, expected) => {
  expect(parseSearch(text)).toEqual(expected);
});
