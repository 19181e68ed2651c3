import { describe, expect, it } from 'vitest';
import { testCluster, testConfig } from '../../test/support/cluster.ts';
import { findingsOf } from '../../test/support/findings.ts';
import { missingReport } from '../hosts/peer-report.ts';
import type { Probed } from '../hosts/probed.ts';
import { runChecks } from './check.ts';
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
    ['nothing', {}, '', []],
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
      '  checks: { thresholds: { diskIops: 100, diskMBs: 50 } }\n',
      [],
    ],
  ])('%s', (_name, probed, spec, expected) => {
    const cluster = testCluster({ config: testConfig(spec) });
    cluster.probed = new Map([['w1', probed]]);

    const found = runChecks([bandwidth, diskIops, diskThroughput], cluster);

    expect(found.map(({ check, severity, actual }) => `${check} ${severity}: ${actual}`)).toEqual(expected);
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
