import { describe, expect, it } from 'vitest';
import { testCluster, testConfig } from '../../test/support/cluster.ts';
import { findingsOf, ours } from '../../test/support/findings.ts';
import type { Facts } from '../hosts/facts.ts';
import { missingReport } from '../hosts/peer-report.ts';
import type { Probed } from '../hosts/probed.ts';
import { runChecks } from './check.ts';
import { diskSpeed } from './host/disk-speed.ts';
import { endpointReachable } from './host/endpoint.ts';
import { diskQuota } from './host/file-systems.ts';
import { bandwidth, diskIops, diskThroughput } from './host/measured.ts';
import { packagesInstallable } from './host/packages.ts';
import { firewallOpenable, kernelParametersHold } from './host/prepare-conflicts.ts';

describe('endpoint-reachable', () => {
  const name = '  kubernetes: { controlPlaneEndpoint: api.example.com }\n';
  const address = '  kubernetes: { controlPlaneEndpoint: "10.0.0.5:8443" }\n';
  const virtual = '  kubernetes: { controlPlaneEndpoint: api.example.com, virtualAddress: { address: 10.0.0.100 } }\n';

  it.each<[string, string, string | undefined, Probed, string[]]>([
    ['a load balancer that answers', address, 'open', {}, []],
    ['one that refuses, having nobody behind it yet', address, 'refused', {}, []],
    ['one that is silent', address, 'timed out', {}, ['w1 error: 10.0.0.5:8443: timed out']],
    ['no route', address, 'No route to host', {}, ['w1 error: 10.0.0.5:8443: no route to host']],
    ['a host that took no part', address, undefined, {}, []],
    ['a host of the file', '  kubernetes: { controlPlaneEndpoint: 10.0.0.11 }\n', 'timed out', {}, []],
    ['a name that is known', name, 'open', { endpointAddresses: ['10.0.0.5'] }, []],
    [
      'a name that is not known',
      name,
      'Name or service not known',
      { endpointAddresses: [] },
      ['w1 error: no address is known for api.example.com'],
    ],
    ['the name of the virtual address', virtual, undefined, { endpointAddresses: ['10.0.0.100'] }, []],
    [
      'a name that leads elsewhere',
      virtual,
      undefined,
      { endpointAddresses: ['10.0.0.7'] },
      ['w1 error: api.example.com is 10.0.0.7, not the virtual address 10.0.0.100'],
    ],
  ])('%s', (_name, spec, endpoint, probed, expected) => {
    const cluster = testCluster({ config: testConfig(spec) });
    const report = { ...missingReport(''), missing: undefined };
    cluster.peers = new Map([['w1', endpoint === undefined ? report : { ...report, endpoint }]]);
    cluster.probed = new Map([['w1', probed]]);

    const found = runChecks([endpointReachable], cluster);

    expect(found.map(({ host, severity, actual }) => `${host ?? '-'} ${severity}: ${actual}`)).toEqual(expected);
  });
});

describe('what is measured', () => {
  it.each<[string, Probed, string, string[]]>([
    ['a fast host', { bandwidth: { to: 'w2', mbits: 9000 }, disk: { iops: 8000, megabytesPerSecond: 500 } }, '', []],
    ['a narrow link', { bandwidth: { to: 'w2', mbits: 93.6 } }, '', ['bandwidth warning: 94 Mbit/s to w2']],
    [
      'a host that is not reached',
      { bandwidth: { to: 'w2' } },
      '',
      ['bandwidth info: not measured: w2 was not reached'],
    ],
    [
      'a slow disk',
      { disk: { iops: 120.4, megabytesPerSecond: 80 } },
      '',
      ['disk-iops warning: 120 writes a second', 'disk-throughput warning: 80 MB/s'],
    ],
    [
      'a slow disk that is slow enough for the file',
      { disk: { iops: 120, megabytesPerSecond: 80 } },
      'thresholds: { diskIops: 100, diskMBs: 50 }',
      [],
    ],
    [
      'a full disk',
      { bandwidth: { to: 'w2', mbits: 9000 }, isDiskFull: true },
      '',
      ['disk-iops', 'disk-throughput'].map(
        (id) => `${id} info: not measured: less than 1 GiB is free for the file that is written`,
      ),
    ],
    [
      'a host that gave no answer',
      {},
      '',
      ['bandwidth', 'disk-iops', 'disk-throughput'].map(
        (id) => `${id} info: not measured: the host gave no answer to the measurement`,
      ),
    ],
  ])('%s', (_name, probed, more, expected) => {
    const spec = (measure: string): string => `  checks: { measure: [${measure}]${more === '' ? '' : `, ${more}`} }\n`;
    const fast = { disk: { iops: 8000, megabytesPerSecond: 500 }, bandwidth: { to: 'w2', mbits: 9000 } };
    const given = probed.isDiskFull === true || Object.keys(probed).length === 0 ? probed : { ...fast, ...probed };

    expect(measuredOn('w1', given, {}, spec('bandwidth, disk'))).toEqual(expected);
    expect(measuredOn('w1', given, {}, spec(''))).toEqual([]);
  });

  it.each<[string, Partial<Facts>, string[]]>([
    [
      'root',
      { isRoot: false },
      ['bandwidth info: not measured: the host', 'disk-iops info: not measured: only root may'],
    ],
    [
      'a host without a cluster',
      { identity: ours, kubeletVersion: 'v1.36.3' },
      ['bandwidth info: not measured: a cluster is on', 'disk-iops info: not measured: a cluster is on the host'],
    ],
    [
      'a host without that of others',
      { caSha256: 'abc' },
      ['bandwidth info: not measured: a cluster', 'disk-iops info: '],
    ],
    ['bash', { tools: new Set() }, ['bandwidth info: not measured: it has no bash', 'disk-iops info: ']],
    [
      'its port',
      { listeners: [{ protocol: 'tcp', address: '*', port: 10256, process: 'x' }] },
      ['bandwidth info: not measured: port 10256 is taken', 'disk-iops info: '],
    ],
  ])('needs %s', (_name, facts, expected) => {
    const found = measuredOn('w1', {}, facts, '  checks: { measure: [bandwidth, disk] }\n');

    expect(found.slice(0, 2)).toEqual(expected.map((line) => expect.stringContaining(line) as string));
  });

  it('of the bandwidth needs two hosts', () => {
    const hosts = '    - { name: cp1, address: 10.0.0.11, roles: [control-plane] }\n';
    const cluster = testCluster({ config: testConfig('  checks: { measure: [bandwidth] }\n', hosts) });

    expect(runChecks([bandwidth], cluster).map(({ actual }) => actual)).toEqual([
      'not measured: there is no other host that can take part',
    ]);
  });

  function measuredOn(name: string, probed: Probed, facts: Partial<Facts>, spec: string): string[] {
    const cluster = testCluster({ config: testConfig(spec), facts: { [name]: facts } });
    cluster.probed = new Map([[name, probed]]);
    return runChecks([bandwidth, diskIops, diskThroughput], cluster)
      .filter(({ host }) => host === name)
      .map(({ check, severity, actual }) => `${check} ${severity}: ${actual}`);
  }
});

describe('disk-speed', () => {
  it.each<[string, Partial<Facts>, Probed | undefined, string, string[]]>([
    ['a slow disk', {}, { fsyncMs: 42 }, '', ['warning: 99 of 100 within 42.0 ms']],
    ['a fast one', {}, { fsyncMs: 2 }, '', []],
    ['a host that was not asked', {}, undefined, '', []],
    ['one that gave no answer', {}, {}, '', ['info: not measured: the host gave no answer to the measurement']],
    ['one without root', { isRoot: false }, {}, '', ['info: not measured: only root may write where etcd will be']],
    ['a check that is ignored', { isRoot: false }, {}, '  checks: { ignore: [disk-speed] }\n', []],
    ['an etcd that runs', { identity: ours, kubeletVersion: 'v1.36.3' }, {}, '', []],
    ['a host that was prepared', { identity: ours }, { fsyncMs: 42 }, '', ['warning: 99 of 100 within 42.0 ms']],
  ])('of %s', (_name, facts, probed, spec, expected) => {
    const cluster = testCluster({ config: testConfig(spec), facts: { cp1: facts } });
    if (probed !== undefined) cluster.probed = new Map([['cp1', probed]]);

    const found = runChecks([diskSpeed], cluster);

    expect(found.map(({ severity, actual }) => `${severity}: ${actual}`)).toEqual(expected);
  });
});

describe('disk-quota', () => {
  const wanted = '  checks: { projectQuota: true }\n';
  const mount = (...options: string[]) => [
    { path: '/', options: ['rw'] },
    { path: '/var/lib', options },
  ];

  it.each([
    ['nobody asks for', '', mount('rw'), []],
    ['is there', wanted, mount('rw', 'prjquota'), []],
    ['is missing', wanted, mount('rw', 'usrquota'), ['w1 error: /var/lib is mounted without prjquota']],
  ])('%s', (_name, spec, mounts, expected) => {
    const quota = mount('prjquota');
    expect(
      findingsOf(diskQuota, { facts: { cp1: { mounts: quota }, w1: { mounts }, w2: { mounts: quota } }, spec }),
    ).toEqual(expected);
  });
});

describe('what prepare-hosts would stop at', () => {
  const late = '/etc/sysctl.d/zzz-site.conf:net.ipv4.ip_forward = 0\n';

  it.each([
    ['no other file', '', '', []],
    [
      'a parameter that Kubernetes needs, set otherwise later',
      late,
      '',
      [
        'w1 error: Kubernetes needs net.ipv4.ip_forward = 1, but /etc/sysctl.d/zzz-site.conf, which is read later at boot, sets 0',
      ],
    ],
    ['the same, read before ours', late.replace('zzz', '99'), '', []],
    ['the same value', late.replace('= 0', '= 1'), '', []],
    ['a limit, which stays', '/etc/sysctl.d/99-site.conf:vm.max_map_count = 1\n', '', []],
    ['our own file', '/etc/sysctl.d/zz-installer.conf:net.ipv4.ip_forward = 0\n', '', []],
    ['our own file of earlier versions', '/etc/sysctl.d/90-installer.conf:net.ipv4.ip_forward = 0\n', '', []],
    ['sysctl.conf', '/etc/sysctl.conf:net.ipv4.ip_forward = 0\n', '', []],
    [
      'one that the cluster file asks for',
      '/usr/lib/sysctl.d/zzz.conf:vm.swappiness=60\n',
      '  hostSettings: { sysctl: { vm.swappiness: "10" } }\n',
      [
        'w1 error: the cluster file wants vm.swappiness = 10, but /usr/lib/sysctl.d/zzz.conf, which is read later at boot, sets 60',
      ],
    ],
  ])('%s', (_name, sysctlFiles, spec, expected) => {
    expect(findingsOf(kernelParametersHold, { facts: { w1: { sysctlFiles } }, spec })).toEqual(expected);
  });

  const open = '  hostSettings: { firewall: open }\n';

  it.each<[string, { ruleService?: string; firewall?: 'ufw' }, string, string[]]>([
    ['rules by hand that stay', { ruleService: 'nftables.service' }, '', []],
    [
      'rules by hand where ports are to be opened',
      { ruleService: 'nftables.service' },
      open,
      ['w1 error: nftables.service loads rules of your own, which the installer does not rewrite'],
    ],
    ['ufw over them', { ruleService: 'nftables.service', firewall: 'ufw' }, open, []],
    ['no firewall', {}, open, []],
  ])('%s', (_name, w1, spec, expected) => {
    expect(findingsOf(firewallOpenable, { facts: { w1 }, spec })).toEqual(expected);
  });
});

describe('packages-installable', () => {
  const packageTrouble = ['E: Malformed entry 1'];
  const tools = new Set(['apt-get', 'curl']);

  it.each([
    [
      'where nothing is to be installed',
      '  hostSettings: { installTools: none }\n',
      ['w1 warning: E: Malformed entry 1'],
    ],
    ['where tools are missing', '', ['w1 error: E: Malformed entry 1']],
    [
      'where packages are wanted',
      '  hostSettings: { installTools: none, packages: [vim] }\n',
      ['w1 error: E: Malformed entry 1'],
    ],
    [
      'where the lists of others are put aside',
      '  hostSettings: { packageRepositories: { exclusive: true, repositories: [{ name: a, url: "http://m", suites: [x], components: [main] }] } }\n',
      [],
    ],
  ])('%s', (_name, spec, expected) => {
    expect(findingsOf(packagesInstallable, { facts: { w1: { packageTrouble, tools } }, spec })).toEqual(expected);
  });
});
