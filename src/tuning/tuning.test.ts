import { describe, expect, it } from 'vitest';
import { createFakeHost, type FakeHost } from '../../test/support/fake-host.ts';
import { testCluster, testConfig } from '../../test/support/cluster.ts';
import { changesOn, converge } from '../../test/support/steps.ts';
import { portsOf } from '../kubernetes/firewall-ports.ts';
import { installableTools } from '../kubernetes/needed-tools.ts';
import { memberOf, type Cluster, type Member } from '../kubernetes/cluster.ts';
import type { Facts } from '../hosts/facts.ts';
import { tunings } from './index.ts';
import { kernelSettings } from './kernel.ts';

function clusterWith(settings: string, facts: Partial<Facts> = {}): Cluster {
  const spec = settings === '' ? '' : `  hostSettings: ${settings}\n`;
  return testCluster({ config: testConfig(spec), facts: { cp1: facts, w1: facts } });
}

function member(cluster: Cluster, name: string): Member {
  const found = cluster.members.find(({ config }) => config.name === name);
  if (found === undefined) throw new Error(`no ${name}`);
  return memberOf(cluster, found.host);
}

/** Ids of the steps that are made for the host cp1. */
function stepsOf(settings: string, facts: Partial<Facts> = {}): string[] {
  const cluster = clusterWith(settings, facts);
  return tunings.flatMap((tuning) => tuning.steps(member(cluster, 'cp1'), cluster).map(({ id }) => id));
}

const always = [
  ...['hosts-block', 'kernel-modules', 'kernel-parameters'],
  ...['swap-services', 'swap-units', 'swap-off', 'swap-entries'],
];

describe('the changes of a host', () => {
  it('are few where the cluster file says nothing', () => {
    expect(stepsOf('')).toEqual(always);
  });

  it.each<[string, string[]]>([
    ['{ swap: leave, hostsFile: leave }', ['kernel-modules', 'kernel-parameters']],
    ['{ manageHostname: true }', ['hostname', ...always]],
    ['{ transparentHugepages: never }', [...always.slice(0, 3), 'hugepages-at-boot', 'hugepages', ...always.slice(3)]],
    [
      '{ selinux: permissive, apparmor: disable, firewall: disable }',
      [...always, 'selinux', 'apparmor', 'apparmor-profiles', 'firewall', 'ufw'],
    ],
    ['{ ntp: { servers: [a] }, timeZone: UTC }', [...always, 'time-servers', 'time-zone']],
    ['{ limits: { openFiles: 2048 } }', [...always, 'login-limits']],
    ['{ coreDumps: disable }', [...always, 'login-limits', 'systemd-defaults']],
    ['{ defaultTasksMax: 50% }', [...always, 'systemd-defaults']],
    ['{ journald: { maxRetention: 2week } }', [...always, 'journal-limits']],
  ])('with %s are those', (settings, steps) => {
    const kubelet = settings.includes('swap: leave') ? '\n  kubernetes: { kubelet: { failSwapOn: false } }' : '';
    expect(stepsOf(`${settings}${kubelet}`)).toEqual(steps);
  });

  it('of packages need a package manager', async () => {
    const settings =
      '{ packages: [jq], removePackages: [runc], unattendedUpgrades: disable, packageRepositories: { repositories: [{ name: a, url: "http://m" }] } }';
    expect(stepsOf(settings, { tools: new Set(['apt-get']) }).slice(0, 5)).toEqual([
      'package-repositories',
      'upgrade-units',
      'upgrade-periods',
      'removed-packages',
      'packages',
    ]);
    const cluster = clusterWith(settings, { tools: new Set() });
    const steps = tunings.flatMap((tuning) => tuning.steps(member(cluster, 'cp1'), cluster));
    for (const wanted of ['packages', 'removed-packages']) {
      const plan = steps.find(({ id }) => id === wanted)?.plan(() => ({ state: 'absent' }));
      expect(plan).toMatchObject({ kind: 'blocked', code: 'NO_PACKAGE_MANAGER' });
    }
    await Promise.resolve();
  });

  it('have a firewall step of the firewall that is on', () => {
    expect(stepsOf('{ firewall: open }', { firewall: 'firewalld' }).slice(-2)).toEqual(['firewall', 'firewall-zones']);
    expect(stepsOf('{ firewall: open }', { firewall: 'ufw' }).at(-1)).toBe('firewall');
  });
});

describe('kernelSettings', () => {
  it('takes the value of the user in the place of its own', () => {
    const settings = kernelSettings(
      clusterWith('{ sysctl: { vm.max_map_count: 100, net.ipv4.tcp_rmem: "4096  87380 6291456" } }'),
    );

    expect(settings.filter(({ key }) => key === 'vm.max_map_count')).toEqual([
      { key: 'vm.max_map_count', value: '100', isOwn: true },
    ]);
    expect(settings.at(-1)).toMatchObject({ key: 'net.ipv4.tcp_rmem', isOwn: true });
    expect(settings.some(({ key }) => key === 'net.ipv6.conf.all.forwarding')).toBe(false);
  });

  it('forwards IPv6 where pods have it', () => {
    const config = testConfig(
      '  network: { podSubnets: [10.244.0.0/16, "fd00:10:244::/56"], serviceSubnets: [10.96.0.0/16, "fd00:10:96::/112"] }\n',
    );
    expect(kernelSettings(testCluster({ config }))).toContainEqual({
      key: 'net.ipv6.conf.all.forwarding',
      value: '1',
      isRequired: true,
    });
  });
});

describe('the kernel modules', () => {
  const namesWith = async (spec: string, kernel: string): Promise<string[]> => {
    const cluster = testCluster({ config: testConfig(spec), facts: { cp1: { kernel } } });
    const host = createFakeHost('cp1', { files: { '/proc/filesystems': '', '/proc/modules': '' } });
    host.on('/bin/sh -c b=/lib/modules', '');
    const [step] = tunings.flatMap((tuning) =>
      tuning.id === 'kernel-modules' ? tuning.steps(member(cluster, 'cp1'), cluster) : [],
    );
    if (step === undefined) throw new Error('no step');
    const [change] = await changesOn(host, step);
    return (change?.actions ?? []).flatMap((action) => (action.kind === 'run' ? [action.argv[1] ?? ''] : []));
  };
  const always = ['overlay', 'br_netfilter', 'nf_conntrack'];

  it.each<[string, string, string[]]>([
    ['', '6.1.0', []],
    ['  kubernetes: { kubeProxy: { mode: ipvs } }\n', '6.1.0', ['ip_vs', 'ip_vs_rr', 'ip_vs_wrr', 'ip_vs_sh']],
    ['  hostSettings: { modules: [nbd, overlay] }\n', '6.1.0', ['nbd']],
    ['', '3.10.0-1160.el7.x86_64', ['nf_conntrack_ipv4']],
    ['', '4.18.0-553.el8_10.x86_64', []],
  ])('with %j on Linux %s are the usual ones and %j', async (spec, kernel, more) => {
    expect(await namesWith(spec, kernel)).toEqual([...always, ...more]);
  });
});

describe('the hostname', () => {
  it('is that of the cluster file, and cloud-init leaves it alone', async () => {
    const cluster = clusterWith('{ manageHostname: true }');
    const [step] = tunings.flatMap((tuning) => tuning.steps(member(cluster, 'cp1'), cluster));
    const host = createFakeHost('cp1', {
      files: { '/etc/hostname': 'old\n', '/proc/sys/kernel/hostname': 'old\n', '/etc/cloud/cloud.cfg.d/a.cfg': '' },
    });
    if (step === undefined) throw new Error('no step');

    expect(await converge(host, step)).toHaveLength(3);
    expect([host.text('/etc/hostname'), host.text('/proc/sys/kernel/hostname')]).toEqual(['cp1\n', 'cp1\n']);
    expect(host.record.ids()).toHaveLength(3);
  });
});

describe('swap units', () => {
  const stepOn = async (host: FakeHost): Promise<string[]> => {
    const cluster = clusterWith('');
    const step = tunings
      .flatMap((tuning) => tuning.steps(member(cluster, 'cp1'), cluster))
      .find(({ id }) => id === 'swap-units');
    if (step === undefined) throw new Error('no step');
    return converge(host, step);
  };

  it.each<[string, string[]]>([
    ['enabled swap.img.swap', ['disable swap.img.swap']],
    ['generated dev-zram0.swap', ['mask dev-zram0.swap']],
    ['static other.swap', []],
    ['disabled swap.img.swap', []],
    ['masked dev-zram0.swap', []],
    ['', []],
  ])('%j: %j', async (line, expected) => {
    const [unitFileState = '', unit = ''] = line.split(' ');
    const host = createFakeHost('cp1', { services: unit === '' ? {} : { [unit]: { unitFileState } } });
    host.on(/UnitFileState/, () => `${host.services.get(unit)?.unitFileState ?? ''} ${unit}\n`);

    expect(await stepOn(host)).toEqual(expected);
    expect(host.record.ids()).toEqual(expected.map((text) => `unit:${text.split(' ')[1] ?? ''}`));
  });
});

describe('installableTools', () => {
  const tools = new Set(['apt-get', 'wget']);
  it.each<[string, Partial<Facts>, string[]]>([
    ['', { tools }, ['tar', 'iproute2', 'iptables', 'kmod', 'procps', 'findutils', 'diffutils']],
    [
      '{ installTools: all }',
      { tools: new Set([...tools, 'ss', 'ip', 'tar', 'iptables', 'modprobe', 'sysctl', 'xargs', 'diff']) },
      ['conntrack', 'ethtool', 'socat', 'iproute2', 'ebtables', 'ipset'],
    ],
    ['{ installTools: none }', { tools }, []],
    ['', { tools: new Set() }, []],
    ['', { tools: new Set(['apt-get']), os: { id: 'arch', idLike: [], versionId: '', prettyName: '' } }, []],
    [
      '',
      { tools: new Set(['yum']), os: { id: 'rocky', idLike: [], versionId: '9', prettyName: '' } },
      ['tar', 'iproute', 'iptables', 'kmod', 'procps-ng', 'findutils', 'diffutils', 'curl'],
    ],
  ])('with %s on a host with %j are %j', (settings, facts, packages) => {
    const cluster = clusterWith(settings, facts);
    const found = installableTools(member(cluster, 'cp1'), cluster);
    expect([...new Set(found.map((item) => item.package))]).toEqual(packages);
  });
});

describe('portsOf', () => {
  const portsWith = (spec: string, name: string): string[] => {
    const cluster = testCluster({ config: testConfig(spec) });
    return portsOf(member(cluster, name), cluster).map(({ port, protocol }) => `${port}/${protocol}`);
  };
  const worker = ['10250/tcp', '10256/tcp', '30000-32767/tcp', '30000-32767/udp'];

  it.each<[string, string, string[]]>([
    ['w1', '', [...worker, '8472/udp']],
    ['w1', '  network: { plugin: none }\n', worker],
    ['cp1', '', ['6443/tcp', '2379-2380/tcp', ...worker, '8472/udp']],
    [
      'cp1',
      '  kubernetes: { controlPlaneEndpoint: "api.example.com:8443" }\n',
      ['6443/tcp', '8443/tcp', '2379-2380/tcp', ...worker, '8472/udp'],
    ],
  ])('of %s with %j are %j', (name, spec, ports) => {
    expect(portsWith(spec, name)).toEqual(ports);
  });
});
