import { expect, it } from 'vitest';
import { findingsOf, ours } from '../../../test/support/findings.ts';
import type { Facts } from '../../hosts/facts.ts';
import type { Check } from '../check.ts';
import { kernelNotUpgraded, unattendedUpgrades } from './kernel.ts';
import { ipForward } from './ip-forward.ts';
import { privilegeEscalation } from './privilege.ts';
import { resolvConf } from './resolv-conf.ts';
import { firewall, selinux, sshdUseDns } from './security.ts';

const kernel = '6.1.0-21-amd64';

it.each<[string, Check, Partial<Facts>, string[]]>([
  ['SELinux that is enforcing', selinux, { selinuxEnforcing: true }, ['w1 warning: enforcing']],
  ['SELinux with a policy for containers', selinux, { selinuxEnforcing: true, hasContainerPolicy: true }, []],
  ['SELinux that is not', selinux, {}, []],
  ['a configuration of sshd that can be read', sshdUseDns, {}, []],
  ['one that looks up names', sshdUseDns, { sshdUsesDns: true }, ['w1 warning: UseDNS yes']],
  [
    'one that only root can read',
    sshdUseDns,
    { isRoot: false, sshdUnreadable: ['/etc/ssh/sshd_config'] },
    ['w1 info: not checked: only root can read /etc/ssh/sshd_config'],
  ],
  ['a firewall', firewall, { firewall: 'ufw' }, ['w1 warning: ufw is active']],
  ['no firewall', firewall, {}, []],
  [
    'upgrades by themselves',
    unattendedUpgrades,
    { automaticUpgrades: 'unattended-upgrades' },
    ['w1 warning: unattended-upgrades is active'],
  ],
  ['no upgrades by themselves', unattendedUpgrades, {}, []],
  ['PackageKit where it waits for a desktop', unattendedUpgrades, { automaticUpgrades: 'packagekit.service' }, []],
  [
    'PackageKit of openSUSE',
    unattendedUpgrades,
    {
      automaticUpgrades: 'packagekit.service',
      os: { id: 'opensuse-leap', idLike: ['suse'], versionId: '15.6', prettyName: 'openSUSE Leap 15.6' },
    },
    ['w1 warning: packagekit.service is active'],
  ],
  ...[
    { state: 'off', isFixed: false } as const,
    { state: 'on', isFixed: true } as const,
    { state: 'on', isFixed: false } as const,
  ].map((found): [string, Check, Partial<Facts>, string[]] => [
    `forwarding that is ${found.state}, ${found.isFixed ? 'for good' : 'for now'}`,
    ipForward,
    { forwarding: new Map([[4, found]]) },
    [],
  ]),
  [
    'forwarding that cannot be turned on',
    ipForward,
    { forwarding: new Map([[4, { state: 'off', isFixed: true }]]) },
    ['w1 error: forwarding of IPv4 is off, and /proc/sys is read-only'],
  ],
  [
    'the same for an account without root',
    ipForward,
    { isRoot: false, forwarding: new Map([[4, { state: 'off', isFixed: true }]]) },
    [],
  ],
  [
    'forwarding that is off on a node',
    ipForward,
    { identity: ours, forwarding: new Map([[4, { state: 'off', isFixed: false }]]) },
    ['w1 warning: forwarding of IPv4 is off'],
  ],
  ['an account without root', privilegeEscalation, { isRoot: false }, [expect.stringMatching(/^w1 error: /) as string]],
  ['root', privilegeEscalation, {}, []],
  ['the modules of the kernel', kernelNotUpgraded, { kernel, moduleTrees: ['6.1.0-20-amd64', kernel] }, []],
  [
    'modules of a newer kernel only',
    kernelNotUpgraded,
    { kernel, moduleTrees: ['6.1.0-22-amd64'] },
    [`w1 error: ${kernel} runs, /lib/modules has 6.1.0-22-amd64`],
  ],
  ['no folders of modules, as in a container', kernelNotUpgraded, { kernel, moduleTrees: [] }, []],
  [
    'a kernel without modules',
    kernelNotUpgraded,
    { kernel, moduleTrees: ['6.1.0-22-amd64'], hasLoadedModules: false },
    [],
  ],
  ['a nameserver of the site', resolvConf, { nameservers: ['10.0.0.2'] }, []],
  [
    'no nameserver',
    resolvConf,
    { nameservers: [] },
    ['w1 error: /etc/resolv.conf is missing, or names no nameserver; CoreDNS would have nobody to ask'],
  ],
  ...['cluster.local', 'CLUSTER.local.', 'svc.cluster.local', 'local'].map(
    (domain): [string, Check, Partial<Facts>, string[]] => [
      `the search domain ${domain}`,
      resolvConf,
      { searchDomains: ['example.com', domain] },
      [`w1 warning: search ${domain} in /etc/resolv.conf, and the domain of the cluster is cluster.local`],
    ],
  ),
  ...['corp.local', 'mycluster.local', '.'].map((domain): [string, Check, Partial<Facts>, string[]] => [
    `the search domain ${domain}`,
    resolvConf,
    { searchDomains: [domain] },
    [],
  ]),
  [
    'a nameserver on loopback',
    resolvConf,
    { nameservers: ['127.0.0.1', '10.0.0.2'] },
    ['w1 warning: 127.0.0.1 in /etc/resolv.conf'],
  ],
  ['one on loopback of IPv6', resolvConf, { nameservers: ['::1'] }, ['w1 warning: ::1 in /etc/resolv.conf']],
  ['systemd-resolved with servers', resolvConf, { nameservers: ['127.0.0.53'], upstreamNameservers: ['10.0.0.2'] }, []],
  [
    'systemd-resolved without any',
    resolvConf,
    { nameservers: ['127.0.0.53'], upstreamNameservers: [] },
    ['w1 warning: 127.0.0.53 in /etc/resolv.conf'],
  ],
])('judges %s', (_name, check, facts, expected) => {
  expect(findingsOf(check, { facts: { w1: facts } })).toEqual(expected);
});

it.each([
  ['leave', 'w1 warning: ufw is active'],
  ['open', 'w1 info: ufw is active'],
  ['disable', 'w1 info: ufw is active'],
])('weighs a firewall by what is to be done with it: %s', (setting, expected) => {
  const spec = `  hostSettings: { firewall: ${setting} }`;
  expect(findingsOf(firewall, { facts: { w1: { firewall: 'ufw' } }, spec })).toEqual([expected]);
});

it('takes the resolv.conf of the cluster file for that of the pods', () => {
  const spec = '  kubernetes: { kubelet: { resolvConf: /etc/resolv-pods.conf } }\n';

  expect(findingsOf(resolvConf, { facts: { w1: { nameservers: ['127.0.0.1'] } }, spec })).toEqual([]);
});
