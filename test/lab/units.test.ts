import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { lackingCapabilities } from './available.ts';
import { parseHierarchies } from './cgroups.ts';
import { renderClusterConfig } from './cluster-config.ts';
import { isSetting, settingOf } from './kernel-values.ts';
import { isLeader } from './leader.ts';
import { parseTables, pickPrefix, renderAirGap } from './network.ts';
import { labPaths, machineName } from './paths.ts';
import { parseStartTime } from './processes.ts';
import { isInside, parseRange } from './ranges.ts';
import { renderSupervisor } from './supervisor.ts';
import { renderDrop } from './faults/traffic.ts';

describe('addresses', () => {
  test('a range is aligned to its size', () => {
    expect(parseRange('10.88.3.7/24')).toEqual(parseRange('10.88.3.0/24'));
    expect(isInside(parseRange('10.88.3.7'), parseRange('10.88.0.0/16'))).toBe(true);
    expect(isInside(parseRange('10.89.0.0/16'), parseRange('10.88.0.0/16'))).toBe(false);
    expect(() => parseRange('fd00::/8')).toThrow('no IPv4 range');
  });

  test('a lab takes the first network that no route touches, be it larger or smaller', () => {
    expect(pickPrefix([])).toBe('10.88.0');
    expect(pickPrefix(['10.88.0.0/23', '10.88.2.77'].map(parseRange))).toBe('10.88.3');
    expect(() => pickPrefix([parseRange('10.0.0.0/8')])).toThrow('no free /24');
  });
});

describe('what the kernel says', () => {
  test('hierarchies of both cgroup versions are found, with the cpuset among them', () => {
    const mounts = [
      'tmpfs /sys/fs/cgroup tmpfs rw 0 0',
      'cgroup /sys/fs/cgroup/cpuset cgroup rw,relatime,cpuset 0 0',
      'cgroup /sys/fs/cgroup/systemd cgroup rw,relatime,name=systemd 0 0',
      'cgroup2 /sys/fs/cgroup/unified cgroup2 rw,relatime 0 0',
    ].join('\n');
    expect(parseHierarchies(mounts)).toEqual([
      { path: '/sys/fs/cgroup/cpuset', version: 1, cpuset: true },
      { path: '/sys/fs/cgroup/systemd', version: 1, cpuset: false },
      { path: '/sys/fs/cgroup/unified', version: 2, cpuset: false },
    ]);
  });

  test('the start time is read behind a name with spaces and brackets, and a zombie has none', () => {
    const rest = '1 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4711 1000';
    expect(parseStartTime(`42 (a) b (c) S ${rest}`)).toBe(4711);
    expect(parseStartTime(`42 (sh) Z ${rest}`)).toBeUndefined();
  });

  test('the init of a host is process 1 one space below, not that of a pod in it', () => {
    expect(isLeader('Name:\tsystemd\nNSpid:\t4711\t1\n')).toBe(true);
    expect(isLeader('NSpid:\t4712\t34\n')).toBe(false);
    expect(isLeader('NSpid:\t4713\t90\t1\n')).toBe(false);
    expect(isLeader('NSpid:\t1\n')).toBe(false);
  });

  test('settings are told from readings and triggers', () => {
    expect(['/proc/sys/vm/swappiness', '/proc/sys/fs/file-max', '/proc/sys/kernel/pid_max'].every(isSetting)).toBe(
      true,
    );
    for (const path of ['kernel/random/uuid', 'fs/file-nr', 'fs/inode-state', 'vm/drop_caches', 'kernel/ns_last_pid']) {
      expect(isSetting(`/proc/sys/${path}`), path).toBe(false);
    }
    expect(settingOf('always [madvise] never\n')).toBe('madvise');
    expect(settingOf('32768\t60999\n')).toBe('32768\t60999');
  });

  test('a root without the capabilities to boot hosts is recognised', () => {
    expect(lackingCapabilities('CapEff:\t000001fffeffffff\n')).toEqual([]);
    expect(lackingCapabilities('CapEff:\t00000000a80425fb\n')).toEqual(['CAP_NET_ADMIN', 'CAP_SYS_ADMIN']);
  });
});

describe('names', () => {
  test('a name that would not fit the kernel is refused', () => {
    expect(labPaths('e2e').dir).toMatch(/\.lab\/e2e$/);
    for (const name of ['', 'Lab', 'a-b', '../x', 'toolong'])
      expect(() => labPaths(name), name).toThrow('cannot name a lab');
    expect(machineName('bench1', 'node9')).toBe('bench1-node9');
    expect(() => machineName('bench1', 'node10')).toThrow('more than 12 characters');
  });

  test('files of the default lab lie one folder up', () => {
    expect(labPaths('lab').configFile).toMatch(/\.lab\/clusterConfig\.yaml$/);
    expect(labPaths('two').configFile).toMatch(/\.lab\/two\/clusterConfig\.yaml$/);
  });
});

describe('packet filter', () => {
  test('tables are listed with their family', () => {
    expect(parseTables('table inet installer_lab_a\ntable bridge installer_lab_a_7_0\n')).toEqual([
      ['inet', 'installer_lab_a'],
      ['bridge', 'installer_lab_a_7_0'],
    ]);
  });

  test('the air gap lets hosts reach one another and the machine in the lab', () => {
    const text = renderAirGap('t', { bridge: 'ilab-x', prefix: '10.88.4' });
    expect(text).toContain('iifname "ilab-x" oifname "ilab-x" accept\n    iifname "ilab-x" drop');
    expect(text).toContain('ip daddr != { 10.88.4.1, 10.88.4.255');
  });

  test.each([
    [{ from: 'A', to: 'B', port: 6443 }, 'ip saddr A ip daddr B tcp dport 6443 drop'],
    [{ to: 'B', protocol: 'udp', port: 8472 }, 'ip daddr B udp dport 8472 drop'],
    [{ from: 'A', protocol: 'icmp' }, 'ip saddr A ip protocol icmp drop'],
  ] as const)('%j drops just that', (traffic, rule) => {
    expect(renderDrop('t', traffic).split(`    ${rule}\n`)).toHaveLength(4);
  });
});

test('the supervisor quotes paths and fills cpusets before it enters them', () => {
  const script = renderSupervisor({
    root: "/a b/it's",
    machine: 'lab-node1',
    bridge: 'ilab-lab',
    cgroup: 'installer-lab/lab/node1',
    consoleFile: '/a b/console',
    hierarchies: [
      { path: '/sys/fs/cgroup/cpuset', version: 1, cpuset: true },
      { path: '/sys/fs/cgroup/unified', version: 2, cpuset: false },
    ],
  });
  expect(script).toContain(String.raw`-D '/a b/it'\''s' -b`);
  expect(script).toContain(
    'for folder in \'/sys/fs/cgroup/cpuset/installer-lab/lab/node1\'; do\n    cat "$folder/../cpuset.cpus"',
  );
});

describe('cluster file', () => {
  const input = {
    name: 'lab',
    keyFile: './id_ed25519',
    hosts: [
      { name: 'node1', address: '10.88.0.11' },
      { name: 'node2', address: '10.88.0.12' },
    ],
    kubernetesVersion: 'v1.36.3',
  };

  test('the first host is the control plane, and cgroup version 1 brings its settings', () => {
    const text = renderClusterConfig({ ...input, cgroupV1: true });
    const { spec } = parse(text) as { spec: Record<string, unknown> };
    expect(spec.hosts).toEqual([
      { name: 'node1', address: '10.88.0.11', roles: ['control-plane'] },
      { name: 'node2', address: '10.88.0.12', roles: ['worker'], labels: { 'example.com/disk': 'fast' } },
    ]);
    expect(spec.kubernetes).toMatchObject({
      ignorePreflightErrors: ['SystemVerification'],
      kubelet: { failCgroupV1: false },
    });
    expect(text).toContain('# This machine has cgroup version 1');
    expect(spec).not.toHaveProperty('artifacts');
  });

  test('with cgroup version 2 they are left out, and an upstream brings mirrors and catalogs', () => {
    const upstream = {
      registryUrl: 'https://10.88.0.1:5000',
      registryCaFile: './lab/ca.crt',
      downloadsUrl: 'http://10.88.0.1:8080',
      catalogs: ['./lab/catalogs/lab-1.36.yaml'],
    };
    const text = renderClusterConfig({ ...input, cgroupV1: false, upstream });
    expect(text).not.toMatch(/cgroup|[&*]a\d/i);
    expect(parse(text)).toMatchObject({
      spec: {
        runtime: { registries: { 'ghcr.io': { mirrors: ['https://10.88.0.1:5000'], ca: './lab/ca.crt' } } },
        artifacts: {
          mirrors: { 'dl.k8s.io': 'http://10.88.0.1:8080/dl.k8s.io' },
          catalogs: ['./lab/catalogs/lab-1.36.yaml'],
        },
      },
    });
  });
});
