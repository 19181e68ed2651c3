import { describe, expect, it } from 'vitest';
import { testCluster, testConfig } from '../../../test/support/cluster.ts';
import type { Facts } from '../../hosts/facts.ts';
import { runChecks } from '../check.ts';
import type { Probed } from '../../hosts/probed.ts';
import { checks } from '../index.ts';
import { kernelModules } from './platform.ts';

const ipvs = '  kubernetes: { kubeProxy: { mode: ipvs } }\n';

const os = (id: string, idLike: string[] = []): Facts['os'] => ({ id, idLike, versionId: '', prettyName: id });

function linesOf(facts: Partial<Facts>): string[] {
  const all = { cp1: { os: facts.os ?? os('ubuntu') }, w2: { os: facts.os ?? os('ubuntu') } };
  const found = runChecks(checks, testCluster({ facts: { ...all, w1: { os: os('ubuntu'), ...facts } } }));
  return found
    .filter(({ host }) => host === 'w1')
    .map(({ check, severity, actual }) => `${check} ${severity}: ${actual}`);
}

describe('the checks of what a host runs', () => {
  it.each<[string, Partial<Facts>, string[]]>([
    ['an unknown distribution', { os: os('slackware') }, ['os-supported warning: slackware']],
    ['an old release', { os: { ...os('centos'), versionId: '6' } }, ['os-supported warning: centos 6']],
    ['a release that is known', { os: { ...os('centos'), versionId: '7.9' } }, []],
    ['one that is like a known one', { os: os('zorin', ['ubuntu']) }, []],
    ['the capitals of openEuler, which lacks bc', { os: os('openEuler') }, ['tools-present error: missing: bc']],
    [
      'an old kernel',
      { kernel: '4.15.0-20-generic', moduleTrees: [] },
      ['kernel-supported warning: 4.15.0-20-generic'],
    ],
    ['the kernel of RHEL 8', { kernel: '4.18.0-553.el8_10.x86_64', moduleTrees: [] }, []],
    [
      'the kernel of CentOS 7',
      { kernel: '3.10.0-1160.el7.x86_64', moduleTrees: [] },
      [
        'kernel-supported warning: 3.10.0-1160.el7.x86_64',
        'cgroup-kmem warning: kernel 3.10.0-1160.el7.x86_64 without cgroup.memory=nokmem',
      ],
    ],
    [
      'the kernel of CentOS 7 with its remedy',
      { kernel: '3.10.0-1160.el7.x86_64', moduleTrees: [], kernelCommandLine: ['cgroup.memory=nokmem'] },
      ['kernel-supported warning: 3.10.0-1160.el7.x86_64'],
    ],
    [
      'features that are missing',
      { missingFeatures: ['br_netfilter', 'vxlan'] },
      ['kernel-modules error: missing: br_netfilter, vxlan'],
    ],
    ['modules that nobody needs', { missingFeatures: ['ip_vs', 'ip_vs_rr', 'nf_conntrack_ipv4'] }, []],
    [
      'a module that old kernels need',
      {
        kernel: '3.10.0-1160.el7.x86_64',
        kernelCommandLine: ['cgroup.memory=nokmem'],
        moduleTrees: [],
        missingFeatures: ['nf_conntrack_ipv4'],
      },
      ['kernel-supported warning: 3.10.0-1160.el7.x86_64', 'kernel-modules error: missing: nf_conntrack_ipv4'],
    ],
    [
      'the same with RHEL 8',
      { kernel: '4.18.0-553.el8_10.x86_64', moduleTrees: [], missingFeatures: ['nf_conntrack_ipv4'] },
      [],
    ],
    ['another architecture', { architecture: 'arm64' }, ['arch-consistent error: arm64, and 2 hosts have amd64']],
    [
      'hugepages on ARM',
      { architecture: 'arm64', transparentHugepages: 'always' },
      ['transparent-hugepage warning: always', 'arch-consistent error: arm64, and 2 hosts have amd64'],
    ],
    ['hugepages elsewhere', { transparentHugepages: 'always' }, []],
    ['core dumps', { coreLimit: 'unlimited' }, ['core-dumps warning: ulimit -c is unlimited']],
    ['few tasks', { defaultTasksMax: 1024 }, ['default-tasks-max warning: DefaultTasksMax=1024']],
    ['no limit of tasks', { defaultTasksMax: Number.POSITIVE_INFINITY }, []],
    ['lookups of sshd', { sshdUsesDns: true }, ['sshd-usedns warning: UseDNS yes']],
    ['AppArmor', { apparmorEnabled: true }, []],
    ['AppArmor on UOS', { os: os('uos'), apparmorEnabled: true }, ['apparmor-uos error: enabled']],
    [
      'profiles of AppArmor on UOS',
      { os: os('UOS'), apparmorEnabled: true, apparmorProfiles: 7 },
      ['apparmor-uos error: enabled, 7 profiles loaded'],
    ],
    [
      'AppArmor on UOS without profiles',
      { os: os('uos'), apparmorEnabled: true, apparmorProfiles: 0 },
      ['apparmor-uos error: enabled, 0 profiles loaded'],
    ],
    [
      'a runc from elsewhere',
      { toolPaths: new Map([['runc', '/opt/bin/runc']]) },
      ['conflicting-packages error: runc is at /opt/bin/runc'],
    ],
    ['a runc of a package', { toolPaths: new Map([['runc', '/usr/bin/runc']]) }, []],
    [
      'the runc of Kylin',
      { os: os('kylin'), toolPaths: new Map([['runc', '/usr/bin/runc']]) },
      ['conflicting-packages error: /usr/bin/runc of Kylin'],
    ],
    [
      'a runc of Kylin with its package',
      {
        os: os('kylin'),
        toolPaths: new Map([['runc', '/usr/bin/runc']]),
        toolPackages: new Map([['runc', 'docker-runc']]),
      },
      ['conflicting-packages error: /usr/bin/runc (package docker-runc) of Kylin'],
    ],
    [
      'our own runc',
      {
        toolPaths: new Map([['runc', '/usr/local/sbin/runc']]),
        containerd: { version: '2.2.3', path: '/usr/local/bin/containerd', isOurs: true },
      },
      [],
    ],
  ])('judge %s', (_name, facts, expected) => {
    expect(linesOf(facts)).toEqual(expected);
  });

  it.each<[string, string, Partial<Facts>, Probed, string[]]>([
    ['all of IPVS', ipvs, {}, {}, []],
    ['some of IPVS', ipvs, { missingFeatures: ['ip_vs_sh', 'nf_conntrack_ipv4'] }, {}, ['w1 error: missing: ip_vs_sh']],
    ['vxlan without flannel', '  network: { plugin: none }\n', { missingFeatures: ['vxlan'] }, {}, []],
    [
      'what the file names',
      '  hostSettings: { modules: [dm_crypt, nbd] }\n',
      { missingFeatures: ['overlay'] },
      { missingModules: ['nbd'] },
      ['w1 error: missing: overlay, nbd'],
    ],
  ])('look for modules: %s', (_name, spec, facts, probed, expected) => {
    const cluster = testCluster({ config: testConfig(spec), facts: { w1: facts } });
    cluster.probed = new Map([['w1', probed]]);
    const found = runChecks([kernelModules], cluster);

    expect(found.map(({ host, severity, actual }) => `${host ?? ''} ${severity}: ${actual}`)).toEqual(expected);
  });

  it('look at the range of Docker only where Docker is', () => {
    const cluster = testCluster({
      facts: { w1: { tools: new Set([...(testCluster().members[0]?.facts.tools ?? []), 'docker']) } },
    });
    cluster.members = cluster.members.map((member) => ({
      ...member,
      nodeAddress: member.config.name === 'cp1' ? member.nodeAddress : '172.20.0.7',
    }));
    const found = runChecks(checks, cluster).filter(({ check }) => check === 'docker-bridge-range');

    expect(found.map(({ host, actual }) => `${host ?? ''} ${actual}`)).toEqual([
      'w1 172.20.0.7, and docker is installed',
    ]);
  });
});
