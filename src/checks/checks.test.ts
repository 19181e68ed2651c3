import { describe, expect, it } from 'vitest';
import { testCluster, testConfig, type TestClusterInput } from '../../test/support/cluster.ts';
import type { Facts } from '../hosts/facts.ts';
import { runChecks, type Finding } from './check.ts';
import { checks } from './index.ts';

const gib = 1024 ** 3;
const mib = 1024 ** 2;
const ours = { clusterId: 'c1', clusterName: 'prod' };

function findings(input: TestClusterInput): Finding[] {
  return runChecks(checks, testCluster(input));
}

/** `check host severity: actual` of everything that is found where one host has these facts. */
function linesOf(host: 'cp1' | 'w1', facts: Partial<Facts>, spec = ''): string[] {
  const found = findings({ config: testConfig(spec), facts: { [host]: facts } });
  return found.map(({ check, host: name, severity, actual }) => `${check} ${name ?? '-'} ${severity}: ${actual}`);
}

describe('the checks', () => {
  it('find nothing on good hosts', () => {
    expect(findings({})).toEqual([]);
  });

  it('find nothing on hosts that are this very cluster already', () => {
    const facts: Partial<Facts> = {
      identity: ours,
      leftovers: ['/etc/kubernetes/admin.conf'],
      kubeletVersion: testCluster().versions?.kubernetes.version,
      containerd: { version: '2.1.4', path: '/usr/local/bin/containerd', isOurs: true },
      listeners: [
        { protocol: 'tcp', address: '*', port: 10250, process: 'kubelet' },
        { protocol: 'tcp', address: '*', port: 6443, process: 'kube-apiserver' },
        { protocol: 'tcp', address: '*', port: 10257, process: 'kube-controller' },
        { protocol: 'tcp', address: '*', port: 2379, process: 'etcd' },
      ],
      freeBytes: new Map([['/', 160 * gib]]),
    };

    expect(linesOf('cp1', facts)).toEqual([]);
  });

  it('have ids and say what to do', () => {
    const ids = checks.map(({ id }) => id);

    expect(new Set(ids).size).toBe(ids.length);
    for (const check of checks) {
      expect(check.id).toMatch(/^[a-z][a-z0-9-]+$/);
      expect([check.title, check.expected, check.remedy].every((text) => text.length > 0)).toBe(true);
    }
  });

  it.each<[string, 'cp1' | 'w1', Partial<Facts>, string[]]>([
    ['another architecture', 'w1', { architecture: 'riscv64' }, ['architecture-supported w1 error: riscv64']],
    ['no systemd', 'w1', { systemdVersion: undefined }, ['systemd-running w1 error: systemctl does not answer']],
    ['an old systemd', 'w1', { systemdVersion: 219 }, ['systemd-running w1 error: systemd 219']],
    ['the oldest systemd that will do', 'w1', { systemdVersion: 229 }, []],
    ['one core on a control plane', 'cp1', { cpus: 1 }, ['cpu cp1 error: 1 core']],
    ['one core on a worker', 'w1', { cpus: 1 }, ['cpu w1 error: 1 core']],
    ['few cores', 'w1', { cpus: 4 }, ['cpu w1 warning: 4 cores']],
    ['more than a few', 'w1', { cpus: 5 }, []],
    [
      'cores that are not known',
      'cp1',
      { cpus: undefined },
      ['cpu cp1 warning: the number of cores could not be read'],
    ],
    ['little memory on a control plane', 'cp1', { memoryBytes: 1699 * mib }, ['memory cp1 error: 1699 MiB']],
    ['just enough memory', 'cp1', { memoryBytes: 1700 * mib }, ['memory cp1 warning: 1700 MiB']],
    ['as much memory as guides call little', 'w1', { memoryBytes: 8192 * mib }, ['memory w1 warning: 8192 MiB']],
    ['more memory', 'w1', { memoryBytes: 8193 * mib }, []],
    ['little memory on a worker', 'w1', { memoryBytes: 512 * mib }, ['memory w1 error: 512 MiB']],
    [
      'memory that is not known',
      'w1',
      { memoryBytes: undefined },
      ['memory w1 warning: the size of the memory could not be read'],
    ],
    ['cgroup version 1', 'w1', { cgroupVersion: 1 }, ['cgroup-version w1 error: cgroup v1']],
    ['a cgroup version that is not known', 'w1', { cgroupVersion: undefined }, []],
    [
      'an old containerd',
      'w1',
      { containerd: { version: '1.7.27', path: '/usr/bin/containerd', isOurs: false } },
      ['runtime-usable w1 error: containerd 1.7.27 at /usr/bin/containerd'],
    ],
    [
      'a containerd that will do',
      'w1',
      { containerd: { version: '2.0.5', path: '/usr/bin/containerd', isOurs: false } },
      [],
    ],
    ['swap', 'w1', { swaps: ['/dev/sda2', '/swap.img'] }, ['swap-disabled w1 info: /dev/sda2, /swap.img']],
    [
      'an address that is not its own',
      'w1',
      { addresses: [{ interface: 'eth0', address: '192.168.0.5', prefixLength: 24 }] },
      ['address-valid w1 error: 10.0.0.21 is not among 192.168.0.5 (eth0)'],
    ],
    [
      'an address of loopback',
      'w1',
      { addresses: [{ interface: 'lo', address: '10.0.0.21', prefixLength: 32 }] },
      ['address-valid w1 error: 10.0.0.21 is a loopback address'],
    ],
    [
      'no default route',
      'w1',
      { routes: [{ destination: '10.0.0.0/24', via: undefined, interface: 'eth0' }] },
      ['default-route w1 error: none of IPv4 covers 10.96.0.0/12: 10.0.0.0/24'],
    ],
    ['no routes', 'w1', { routes: [] }, ['default-route w1 error: none of IPv4 covers 10.96.0.0/12: no routes']],
    [
      'a route for the service subnet',
      'w1',
      { routes: [{ destination: '10.96.0.0/12', via: undefined, interface: 'eth0' }] },
      [],
    ],
    [
      'a resolver that is silent',
      'w1',
      { resolverMs: undefined },
      ['resolver-answers w1 error: no answer within 6 s from 10.0.0.2'],
    ],
    ['a slow resolver', 'w1', { resolverMs: 2500 }, ['resolver-answers w1 warning: 2.5 s from 10.0.0.2']],
    ['a very slow resolver', 'w1', { resolverMs: 5000 }, ['resolver-answers w1 error: 5.0 s from 10.0.0.2']],
    [
      'no nameserver',
      'w1',
      { nameservers: [] },
      ['resolv-conf w1 error: /etc/resolv.conf is missing, or names no nameserver; CoreDNS would have nobody to ask'],
    ],
    [
      'leftovers',
      'w1',
      { leftovers: ['/etc/kubernetes/pki/ca.crt', '/etc/cni/net.d/x'] },
      ['leftovers w1 error: /etc/kubernetes/pki/ca.crt', 'leftovers w1 error: /etc/cni/net.d/x'],
    ],
    [
      'leftovers of another cluster',
      'w1',
      { leftovers: ['/x'], identity: { clusterId: 'c9', clusterName: 'other' } },
      ['same-cluster w1 error: cluster other (c9)', 'leftovers w1 error: /x'],
    ],
    [
      'the identity of a cluster of the same name',
      'w1',
      { identity: { clusterId: 'c9', clusterName: 'prod' } },
      ['same-cluster w1 error: another cluster of the same name (c9, not c1)'],
    ],
    [
      'an identity that cannot be read',
      'w1',
      { identityUnreadable: 'EIO' },
      ['same-cluster w1 error: /var/lib/installer/cluster.json cannot be read: EIO'],
    ],
    ['a kubelet of another version, of nobody', 'w1', { kubeletVersion: 'v1.30.0' }, []],
    [
      'a port that is taken',
      'w1',
      { listeners: [{ protocol: 'tcp', address: '*', port: 10250, process: 'nc' }] },
      ['ports-free w1 error: port 10250 is held by nc'],
    ],
    [
      'a port of control planes on a worker',
      'w1',
      { listeners: [{ protocol: 'tcp', address: '*', port: 6443, process: 'nginx' }] },
      [],
    ],
    [
      'a port of control planes, twice',
      'cp1',
      {
        listeners: ['0.0.0.0', '[::]'].map((address) => ({ protocol: 'tcp', address, port: 6443, process: undefined })),
      },
      ['ports-free cp1 error: port 6443 is held by an unknown process'],
    ],
    [
      'the port of VXLAN, by a tunnel of somebody else',
      'w1',
      { listeners: [{ protocol: 'udp', address: '0.0.0.0', port: 8472, process: undefined }] },
      ['ports-free w1 error: port 8472/udp is held by the kernel, for a tunnel'],
    ],
    [
      'the port of VXLAN, by a program',
      'w1',
      { identity: ours, listeners: [{ protocol: 'udp', address: '*', port: 8472, process: 'nc' }] },
      ['ports-free w1 error: port 8472/udp is held by nc'],
    ],
    [
      'the tunnel of this cluster',
      'w1',
      { identity: ours, listeners: [{ protocol: 'udp', address: '0.0.0.0', port: 8472, process: undefined }] },
      [],
    ],
    ['the same port of UDP', 'w1', { listeners: [{ protocol: 'udp', address: '*', port: 10250, process: 'nc' }] }, []],
    [
      'a kubelet of nobody',
      'w1',
      { listeners: [{ protocol: 'tcp', address: '*', port: 10250, process: 'kubelet' }] },
      ['ports-free w1 error: port 10250 is held by kubelet'],
    ],
    [
      'another process on a node of this cluster',
      'w1',
      { identity: ours, listeners: [{ protocol: 'tcp', address: '*', port: 10256, process: 'nc' }] },
      ['ports-free w1 error: port 10256 is held by nc'],
    ],
    [
      'listeners that are not known',
      'w1',
      { listeners: undefined },
      ['ports-free w1 warning: the listening ports could not be read'],
    ],
  ])('judge %s', (_name, host, facts, expected) => {
    expect(linesOf(host, facts)).toEqual(expected);
  });

  it.each([
    [
      'cgroup version 1 where kubelet is told to bear it',
      { cgroupVersion: 1 } as const,
      '  kubernetes: { kubelet: { failCgroupV1: false } }\n',
      [],
    ],
    [
      'cgroup version 1 where nothing is said of it',
      { cgroupVersion: 1 } as const,
      '',
      ['cgroup-version w1 error: cgroup v1'],
    ],
    [
      'a containerd that is not the one of the cluster file',
      { containerd: { version: '2.0.5', path: '/usr/bin/containerd', isOurs: false } },
      `  runtime: { containerd: { version: ${defaultContainerd()} } }\n`,
      ['runtime-usable w1 error: containerd 2.0.5 at /usr/bin/containerd'],
    ],
    [
      'a kubelet of another version in this cluster',
      { identity: ours, kubeletVersion: 'v1.30.0' },
      '',
      [expect.stringContaining('version-unchanged w1 error: v1.30.0 is installed, the file says v1.') as string],
    ],
  ])('judge by the cluster file %s', (_name, facts, spec, expected) => {
    expect(linesOf('w1', facts, spec)).toEqual(expected);
  });

  it('name the tools that are missing, and those that would be useful', () => {
    expect(linesOf('w1', { tools: new Set(['curl', 'tar', 'ip', 'socat']) })).toEqual([
      'tools-present w1 error: missing: ss, iptables, mount, nsenter, modprobe, sysctl, swapoff, flock, sha256sum, systemd-run, xargs, diff, timeout',
      'tools-present w1 warning: missing: conntrack, ethtool, tc',
    ]);
  });

  it('take wget in the place of curl', () => {
    const all = testCluster().members[0]?.facts.tools ?? new Set();
    const without = [...all].filter((tool) => tool !== 'curl');

    expect(linesOf('w1', { tools: new Set([...without, 'wget']) })).toEqual([]);
    expect(linesOf('w1', { tools: new Set(without) })).toEqual(['tools-present w1 error: missing: curl or wget']);
  });

  it.each([
    ['dl.k8s.io', ['tools-present error curl (wget is not enough for a server of spec.artifacts.servers)']],
    ['charts.example.com', []],
  ])('take wget where the server %s has a login', (server, expected) => {
    const tools = new Set([...(testCluster().members[0]?.facts.tools ?? []), 'wget'].filter((tool) => tool !== 'curl'));
    const spec = `  artifacts: { servers: { ${server}: { credentials: { token: { env: A } } } } }\n`;
    const found = findings({ config: testConfig(spec), facts: { w1: { tools } } });

    expect(
      found.map(({ check, severity, actual }) => `${check} ${severity} ${actual.replace('missing: ', '')}`),
    ).toEqual(expected);
  });

  it.each<[keyof Facts, string, string, string]>([
    ['hostname', 'hostname-unique', 'error', 'hostname'],
    ['machineId', 'machine-id-unique', 'error', 'machine-id'],
    ['productUuid', 'product-uuid-unique', 'error', 'product_uuid'],
  ])('find a %s that two hosts share', (field, check, severity, what) => {
    const found = findings({ facts: { cp1: { [field]: 'same' }, w2: { [field]: 'same' } } });

    expect(found).toMatchObject([{ check, host: 'w2', severity, actual: `${what} same is that of cp1 too` }]);
  });

  it('take no value that is missing for a shared one', () => {
    expect(
      findings({
        facts: { cp1: { productUuid: undefined }, w1: { productUuid: undefined }, w2: { machineId: undefined } },
      }),
    ).toEqual([]);
  });

  it.each([
    [500, []],
    [-3000, ['clock-in-sync w1 warning: 3.0 s behind']],
    [3000, ['clock-in-sync w1 warning: 3.0 s ahead']],
    [60_000, ['clock-in-sync w1 error: 60.0 s ahead']],
  ])('judge a clock that is off by %i ms', (offMs, expected) => {
    expect(linesOf('w1', { clockMs: 1_900_000_000_000 + offMs })).toEqual(expected);
  });

  it('blame nobody for the clock of the machine that asks', () => {
    const askedAtMs = 1_900_000_000_000 - 3_600_000;

    expect(findings({ facts: { cp1: { askedAtMs }, w1: { askedAtMs }, w2: { askedAtMs } } })).toEqual([]);
  });

  it('say nothing of a clock that could not be read', () => {
    expect(linesOf('w1', { clockMs: undefined })).toEqual([]);
  });
});

/** Any version that the catalog has and that is not 2.0.5. */
function defaultContainerd(): string {
  return testCluster().versions?.components.find(({ name }) => name === 'containerd')?.version ?? '';
}
