import { describe, expect, it } from 'vitest';
import { createFakeHost, type CommandAnswer, type FakeHost } from '../../test/support/fake-host.ts';
import { factQueries } from './fact-queries.ts';
import { parseAddresses, networkOf, parseListeners, parseRoutes } from './facts-network.ts';
import { parseFacts, parseOsRelease, type Facts } from './facts.ts';

const ubuntu = `PRETTY_NAME="Ubuntu 24.04.1 LTS"
NAME="Ubuntu"
VERSION_ID="24.04"
ID=ubuntu
ID_LIKE=debian
HOME_URL='https://www.ubuntu.com/'
`;

const rocky = `NAME="Rocky Linux"
ID="rocky"
ID_LIKE="rhel centos fedora"
VERSION_ID="9.4"
PRETTY_NAME="Rocky Linux 9.4 (Blue Onyx)"
`;

const addresses = `1: lo    inet 127.0.0.1/8 scope host lo\\       valid_lft forever preferred_lft forever
1: lo    inet6 ::1/128 scope host noprefixroute \\       valid_lft forever preferred_lft forever
2: eth0    inet 10.0.0.11/24 metric 100 brd 10.0.0.255 scope global dynamic eth0\\       valid_lft 3455sec preferred_lft 3455sec
2: eth0    inet6 fe80::a8:ff:fe00:1/64 scope link \\       valid_lft forever preferred_lft forever
7: veth1a@if2    inet 10.244.0.1/32 scope global veth1a\\       valid_lft forever preferred_lft forever
`;

const routes = `default via 10.0.0.1 dev eth0 proto dhcp src 10.0.0.11 metric 100
10.0.0.0/24 dev eth0 proto kernel scope link src 10.0.0.11 metric 100
unreachable 10.9.0.0/16
`;

const routes6 = `fe80::/64 dev eth0 proto kernel metric 256 pref medium
default proto static metric 1024 \\	nexthop via fe80::1 dev eth0 weight 1 \\	nexthop via fe80::2 dev eth1 weight 1
`;

const listeners = `udp   UNCONN 0      0      127.0.0.53%lo:53        0.0.0.0:*    users:(("systemd-resolve",pid=612,fd=13))
tcp   LISTEN 0      4096         0.0.0.0:22        0.0.0.0:*    users:(("sshd",pid=900,fd=3),("systemd",pid=1,fd=120))
tcp   LISTEN 0      4096               *:10250           *:*    users:(("kubelet",pid=1500,fd=12))
tcp   LISTEN 0      511             [::]:80           [::]:*
`;

/** A usual host; answers of commands may be replaced. */
function host(
  commands: Readonly<Record<string, CommandAnswer>> = {},
  files: Readonly<Record<string, string>> = {},
): FakeHost {
  const made = createFakeHost('n1', {
    files: {
      '/etc/os-release': ubuntu,
      '/proc/meminfo': 'MemTotal:        8132444 kB\nMemFree:          120000 kB\n',
      '/etc/machine-id': '0123456789abcdef0123456789abcdef\n',
      '/proc/swaps': 'Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n',
      '/etc/fstab': '/dev/sda1 / ext4 defaults 0 1\n',
      '/etc/hosts': '127.0.0.1 localhost\n',
      '/tmp/x': '',
      '/etc/resolv.conf': '# made by hand\nnameserver 10.0.0.2\nsearch example.com\nnameserver fd00::53\n',
      ...files,
    },
  });
  const usual: Record<string, CommandAnswer> = {
    'date +%s%3N': '1900000000123\n',
    'uname -n -r -m': 'node-1 6.8.0-40-generic x86_64\n',
    nproc: '4\n',
    'ip -o addr show': addresses,
    'ip -o route show': routes,
    'ip -6 -o route show': routes6,
    'ss -Hlntup': listeners,
    'systemctl --version': 'systemd 255 (255.4-1ubuntu8.4)\n+PAM +AUDIT\n',
    'stat -f -c %T /sys/fs/cgroup': 'cgroup2fs\n',
    'getent ahosts': { exitCode: 2, durationMs: 20 },
    '/bin/sh -c': '/usr/bin/tar\n/usr/sbin/ip\n/usr/bin/curl\n',
    'df -Pk':
      'Filesystem     1024-blocks    Used Available Capacity Mounted on\n/dev/sda1 100 40 60 40% /\n/dev/sdb1 50 10 40 20% /var/lib\n/dev/sda1 100 40 60 40% /\n',
    'find ': { exitCode: 1, stderr: 'find: no such file\n' },
    'containerd --version': 'absent',
    'id -u': '0\n',
    'ip -o link show': '2: eth0: <UP> mtu 1500\\    link/ether 02:00:00:00:00:01 brd ff:ff:ff:ff:ff:ff\n',
    'date +%z': '+0000\n',
    'readlink -f': '/usr/share/zoneinfo/Etc/UTC\n',
    'systemctl is-active': { exitCode: 3, stdout: 'inactive\n'.repeat(6) },
    'apt-config': 'absent',
    '/bin/sh -c conf=': '',
    'systemctl show': 'DefaultTasksMax=4915\n',
    'date -u': '1900000000623\n',
    'ls -1 /lib/modules': '6.8.0-40-generic\n',
    'head -n 1 /proc/modules': 'overlay 151552 0 - Live 0x0\n',
    'grep -E': '/dev/sda1 / ext4 rw,relatime 0 0\n',
    '/bin/sh -c ours=': '',
    '/bin/sh -c p=/sys': '',
    '/bin/sh -c if command -v apt-get': 'dpkg was interrupted\n',
    '/bin/sh -c programs=': 'runc /usr/sbin/runc\n',
    '/bin/sh -c set --': '/etc/sysctl.conf:vm.swappiness=10\n',
  };
  for (const [command, answer] of Object.entries({ ...usual, ...commands })) made.on(command, answer);
  return made;
}

async function factsOf(given: FakeHost): Promise<Facts> {
  return parseFacts(await given.observe(Object.values(factQueries)), 1_900_000_000_000);
}

describe('parseFacts', () => {
  it('reads a usual host in one trip', async () => {
    const made = host();

    expect(await factsOf(made)).toEqual({
      os: { id: 'ubuntu', idLike: ['debian'], versionId: '24.04', prettyName: 'Ubuntu 24.04.1 LTS' },
      kernel: '6.8.0-40-generic',
      architecture: 'amd64',
      hostname: 'node-1',
      cpus: 4,
      memoryBytes: 8132444 * 1024,
      machineId: '0123456789abcdef0123456789abcdef',
      productUuid: undefined,
      addresses: parseAddresses(addresses),
      routes: [...parseRoutes(routes), ...parseRoutes(routes6, 6)],
      listeners: parseListeners(listeners),
      clockMs: 1_900_000_000_123,
      askedAtMs: 1_900_000_000_000,
      roundTripMs: undefined,
      systemdVersion: 255,
      cgroupVersion: 2,
      swaps: [],
      swapEntries: [],
      swapUnits: [],
      ownTimeServers: [],
      nameservers: ['10.0.0.2', 'fd00::53'],
      searchDomains: ['example.com'],
      resolverMs: 20,
      tools: new Set(['curl', 'tar', 'ip']),
      toolPaths: expect.any(Map) as Map<string, string>,
      freeBytes: new Map([
        ['/', 60 * 1024],
        ['/var/lib', 40 * 1024],
      ]),
      leftovers: [],
      containerd: undefined,
      kubeletVersion: undefined,
      identity: undefined,
      identityUnreadable: undefined,
      caSha256: undefined,
      isRoot: true,
      macAddresses: new Map([['eth0', '02:00:00:00:00:01']]),
      mtus: new Map([['eth0', 1500]]),
      timeZone: { name: 'UTC', offset: '+0000' },
      hostsFile: [{ address: '127.0.0.1', names: ['localhost'] }],
      upstreamNameservers: undefined,
      selinuxEnforcing: false,
      hasContainerPolicy: expect.any(Boolean) as boolean,
      forwarding: new Map(),
      firewall: undefined,
      ruleService: undefined,
      sysctlFiles: '/etc/sysctl.conf:vm.swappiness=10\n',
      packageTrouble: ['dpkg was interrupted'],
      toolPackages: new Map([['runc', 'runc']]),
      automaticUpgrades: undefined,
      moduleTrees: ['6.8.0-40-generic'],
      hasLoadedModules: true,
      mounts: [{ path: '/', options: ['rw', 'relatime'] }],
      temporaryFolderMode: '755',
      xfsWithoutFileTypes: [],
      sshdUsesDns: false,
      sshdUnreadable: [],
      coreLimit: expect.any(String) as string,
      defaultTasksMax: 4915,
      transparentHugepages: undefined,
      kernelCommandLine: [],
      apparmorEnabled: false,
      apparmorProfiles: undefined,
      missingFeatures: expect.any(Array) as string[],
      evidence: expect.any(Map) as Facts['evidence'],
    } satisfies Facts);
    expect(made.trips).toBe(1);
  });

  it.each<[string, CommandAnswer, string]>([
    ['x86_64', 'n 6 x86_64\n', 'amd64'],
    ['aarch64', 'n 6 aarch64\n', 'arm64'],
    ['another', 'n 6 riscv64\n', 'riscv64'],
  ])('names the architecture %s as downloads do', async (_name, uname, expected) => {
    expect((await factsOf(host({ 'uname -n -r -m': uname }))).architecture).toBe(expected);
  });

  it('guesses nothing where commands and files are missing', async () => {
    const made = host(
      Object.fromEntries(
        ['nproc', 'ss', 'systemctl', 'date', 'stat', 'df', 'ip'].map((name) => [name, 'absent' as const]),
      ),
    );
    made.files.clear();
    made.on('getent', { unknown: 'getent did not answer in time' });

    expect(await factsOf(made)).toMatchObject({
      os: { id: 'unknown', idLike: [] },
      cpus: undefined,
      memoryBytes: undefined,
      machineId: undefined,
      listeners: undefined,
      clockMs: undefined,
      systemdVersion: undefined,
      cgroupVersion: undefined,
      resolverMs: undefined,
      addresses: [],
      routes: [],
      nameservers: [],
      freeBytes: new Map(),
    });
  });

  it('does not take a failure to list listeners for none', async () => {
    expect((await factsOf(host({ 'ss -Hlntup': { exitCode: 255, stderr: 'netlink' } }))).listeners).toBeUndefined();
  });

  it.each([
    ['cgroup2fs\n', 2],
    ['tmpfs\n', 1],
    ['UNKNOWN (0x1)\n', undefined],
  ])('takes a file system %j for cgroup version %s', async (text, expected) => {
    expect((await factsOf(host({ 'stat -f': text }))).cgroupVersion).toBe(expected);
  });

  it('lists the devices that are swapped to', async () => {
    const swaps =
      'Filename\t\tType\t\tSize\tUsed\tPriority\n/dev/sda2                               partition\t8\t0\t-2\n/swap.img file 9 0 -3\n';

    expect((await factsOf(host({}, { '/proc/swaps': swaps }))).swaps).toEqual(['/dev/sda2', '/swap.img']);
  });

  it.each<[string, string, string]>([
    [
      'of its own releases',
      'containerd github.com/containerd/containerd/v2 v2.1.4 75cb2b7193e4e490e9fbdc236c0e811ccaba3376\n',
      '2.1.4',
    ],
    ['of Docker', 'containerd containerd.io 1.7.27 05044ec0a9a75232cad458027ca83437aae3f4da\n', '1.7.27'],
    ['of Debian', 'containerd github.com/containerd/containerd 1.6.20~ds1 1.6.20~ds1-1+b1\n', '1.6.20~ds1'],
  ])('reads the version of a containerd %s', async (_name, text, version) => {
    const made = host({ 'containerd --version': text, '/bin/sh -c': '/usr/bin/containerd\n/usr/bin/tar\n' });

    expect((await factsOf(made)).containerd).toEqual({ version, path: '/usr/bin/containerd', isOurs: false });
  });

  it('knows its own containerd and kubelet by the records that it left', async () => {
    const facts = await factsOf(
      host(
        { 'containerd --version': 'containerd x v2.1.4 y\n', '/bin/sh -c': '/usr/local/bin/containerd\n' },
        {
          '/var/lib/installer/artifacts/containerd/source': `${'a'.repeat(64)} 2.1.4\n`,
          '/var/lib/installer/artifacts/kubelet/source': `${'b'.repeat(64)} v1.36.1\n`,
        },
      ),
    );

    expect(facts.containerd).toMatchObject({ isOurs: true });
    expect(facts.kubeletVersion).toBe('v1.36.1');
  });

  it('lists what another cluster left', async () => {
    const found = '/etc/kubernetes/admin.conf\n/etc/cni/net.d/10-calico.conflist\n';

    expect((await factsOf(host({ 'find ': { exitCode: 1, stdout: found } }))).leftovers).toEqual([
      '/etc/kubernetes/admin.conf',
      '/etc/cni/net.d/10-calico.conflist',
    ]);
  });

  it.each([
    [
      'one that is whole',
      '{"clusterId":"c1","clusterName":"prod","more":1}\n',
      { identity: { clusterId: 'c1', clusterName: 'prod' }, identityUnreadable: undefined },
    ],
    [
      'one that lacks a field',
      '{"clusterId":"c1"}',
      { identity: undefined, identityUnreadable: expect.any(String) as string },
    ],
    [
      'one that is cut off',
      '{"clusterId":"c1","clus',
      { identity: undefined, identityUnreadable: expect.any(String) as string },
    ],
    ['null', 'null', { identity: undefined, identityUnreadable: expect.any(String) as string }],
    ['an empty file', '', { identity: undefined, identityUnreadable: expect.any(String) as string }],
  ])('reads the identity: %s', async (_name, text, expected) => {
    expect(await factsOf(host({}, { '/var/lib/installer/cluster.json': text }))).toMatchObject(expected);
  });

  it('says so where the identity cannot be read', async () => {
    const made = host();
    made.unreadable.set('/var/lib/installer/cluster.json', 'EIO');

    expect(await factsOf(made)).toMatchObject({ identity: undefined, identityUnreadable: 'EIO' });
  });

  it('knows the digest of the authority of the cluster', async () => {
    expect((await factsOf(host({}, { '/etc/kubernetes/pki/ca.crt': 'PEM' }))).caSha256).toMatch(/^[0-9a-f]{64}$/);
  });
});

describe('parseOsRelease', () => {
  it('reads values with and without quotes', () => {
    expect(Object.fromEntries(parseOsRelease(rocky))).toEqual({
      NAME: 'Rocky Linux',
      ID: 'rocky',
      ID_LIKE: 'rhel centos fedora',
      VERSION_ID: '9.4',
      PRETTY_NAME: 'Rocky Linux 9.4 (Blue Onyx)',
    });
    expect(parseOsRelease(ubuntu).get('HOME_URL')).toBe('https://www.ubuntu.com/');
  });

  it('leaves comments and empty lines out', () => {
    expect(parseOsRelease('# ID=x\n\nBUILD=1\n').size).toBe(1);
  });
});

describe('the network of a host', () => {
  it('has addresses by interface', () => {
    expect(parseAddresses(addresses)).toEqual([
      { interface: 'lo', address: '127.0.0.1', prefixLength: 8 },
      { interface: 'lo', address: '::1', prefixLength: 128 },
      { interface: 'eth0', address: '10.0.0.11', prefixLength: 24 },
      { interface: 'eth0', address: 'fe80::a8:ff:fe00:1', prefixLength: 64 },
      { interface: 'veth1a', address: '10.244.0.1', prefixLength: 32 },
    ]);
  });

  it('has routes, and says which lead nowhere', () => {
    expect(parseRoutes(routes)).toEqual([
      { destination: 'default', via: '10.0.0.1', interface: 'eth0' },
      { destination: '10.0.0.0/24', via: undefined, interface: 'eth0' },
      { destination: '10.9.0.0/16', refusal: 'unreachable', via: undefined, interface: undefined },
    ]);
    expect(parseRoutes(routes6, 6)).toEqual([
      { destination: 'fe80::/64', via: undefined, interface: 'eth0' },
      { destination: '::/0', via: 'fe80::1', interface: 'eth0' },
    ]);
  });

  it('has listeners with their processes', () => {
    expect(parseListeners(listeners)).toEqual([
      { protocol: 'udp', address: '127.0.0.53%lo', port: 53, process: 'systemd-resolve' },
      { protocol: 'tcp', address: '0.0.0.0', port: 22, process: 'sshd' },
      { protocol: 'tcp', address: '*', port: 10250, process: 'kubelet' },
      { protocol: 'tcp', address: '[::]', port: 80, process: undefined },
    ]);
  });

  it.each([parseAddresses, (text: string) => parseRoutes(text), parseListeners])(
    'is empty where nothing was printed',
    (parse) => {
      expect(parse('')).toEqual([]);
    },
  );

  it('leaves out routes that are none of the host, and knows those of any kind by their network', () => {
    const text =
      'broadcast 10.0.0.255 dev eth0\nlocal 10.0.0.21 dev eth0\nunicast 10.8.0.0/16 dev eth0\nthrow default\n10.7.0.1 dev eth0\n';
    const parsed = parseRoutes(text);

    expect(parsed.map(({ refusal, destination }) => [refusal, destination])).toEqual([
      [undefined, '10.8.0.0/16'],
      ['throw', 'default'],
      [undefined, '10.7.0.1'],
    ]);
    expect(parsed.map((route) => networkOf(route)?.prefixLength)).toEqual([16, 0, 32]);
  });
});
