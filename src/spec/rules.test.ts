import { describe, expect, it } from 'vitest';
import { baseSpec as base, findingsOfRule as findings } from '../../test/support/rules.ts';
import type {
  ClusterConfig,
  Endpoint,
  HostConfig,
  KubernetesConfig,
  PackageRepository,
  NetworkConfig,
  ServerCredentials,
} from './schema.ts';

type Spec = ClusterConfig['spec'];

function host(change: Partial<HostConfig>): HostConfig {
  const template = base.hosts[0];
  if (template === undefined) throw new Error('no template');
  const address = change.address ?? template.address;
  return { ...template, roles: ['worker'], internalAddress: address, ...change };
}

const controlPlane = host({ name: 'cp', roles: ['control-plane'] });
const hosts = (...list: Partial<HostConfig>[]): Partial<Spec> => ({
  hosts: [controlPlane, ...list.map((change) => host(change))],
});
const network = (change: Partial<NetworkConfig>, more: Partial<Spec> = {}): Partial<Spec> => ({
  ...more,
  network: { ...base.network, ...change },
});
const kubernetes = (change: Partial<KubernetesConfig>): Partial<Spec> => ({
  kubernetes: { ...base.kubernetes, ...change },
});
const virtualPath = 'spec.kubernetes.virtualAddress.address';
const virtual = (address = '10.0.0.100', controlPlaneEndpoint?: Endpoint): Partial<Spec> =>
  kubernetes({ virtualAddress: { address }, ...(controlPlaneEndpoint === undefined ? {} : { controlPlaneEndpoint }) });
const hostSettings = (change: Partial<Spec['hostSettings']>): Partial<Spec> => ({
  hostSettings: { ...base.hostSettings, ...change },
});
const repositories = (...list: Partial<PackageRepository>[]): Partial<Spec> =>
  hostSettings({
    packageRepositories: {
      exclusive: false,
      repositories: list.map((item, index) => ({
        name: `r${index}`,
        url: 'http://m',
        suites: [],
        components: [],
        signedIndex: false,
        ...item,
      })),
    },
  });
const servers = (credentials: ServerCredentials): Partial<Spec> => ({
  artifacts: { ...base.artifacts, servers: { m: { credentials } } },
});
const ipv6 = { podSubnets: ['fd00:10:244::/56'], serviceSubnets: ['fd00:10:96::/112'] };
const ipv6Host = { hosts: [{ ...controlPlane, address: 'fd00::1', internalAddress: 'fd00::1' }] };
const manyHosts = (count: number): Partial<Spec> =>
  hosts(...Array.from({ length: count - 1 }, (_, n) => ({ name: `w${n}`, address: `10.0.1.${n}` })));

const worker = { name: 'w', address: '10.0.0.2' };
const taint = { key: 'a', value: 'x', effect: 'NoSchedule' } as const;

describe.each<{ id: string; holds: Partial<Spec>[]; breaks: [Partial<Spec>, string | string[]][] }>([
  {
    id: 'some-host',
    holds: [{}],
    breaks: [[{ hosts: [] }, 'spec.hosts: a cluster needs at least one host']],
  },
  {
    id: 'one-control-plane',
    holds: [{}, hosts(worker), { hosts: [] }],
    breaks: [
      [{ hosts: [host(worker)] }, 'spec.hosts: a cluster needs a control plane; give one host the role control-plane'],
      [
        hosts(worker, { roles: ['worker', 'control-plane'] }, { roles: ['control-plane'] }),
        'spec.hosts[2].roles: this version creates clusters with one control plane; 3 found',
      ],
    ],
  },
  {
    id: 'one-local-host',
    holds: [{}, hosts({ local: true })],
    breaks: [
      [
        hosts({ local: true }, { local: true }),
        'spec.hosts[2].local: only one host can be the machine that the installer runs on, and spec.hosts[1] already is',
      ],
    ],
  },
  {
    id: 'unique-names',
    holds: [hosts(worker)],
    breaks: [
      [
        hosts({ name: 'cp' }, { name: 'cp' }),
        [
          'spec.hosts[1].name: the name "cp" is already that of spec.hosts[0]',
          'spec.hosts[2].name: the name "cp" is already that of spec.hosts[0]',
        ],
      ],
    ],
  },
  {
    id: 'unique-addresses',
    holds: [
      hosts(worker),
      hosts({ address: controlPlane.address, ssh: { ...controlPlane.ssh, port: 2222 } }),
      hosts({ address: 'a.example.com' }, { address: 'b.example.com' }),
    ],
    breaks: [
      [
        hosts({ address: '10.0.0.1' }),
        'spec.hosts[1].address: the address 10.0.0.1 with SSH port 22 is already that of spec.hosts[0]',
      ],
      [
        hosts({ address: 'A.example.com' }, { address: 'a.example.com' }),
        'spec.hosts[2].address: the address a.example.com with SSH port 22 is already that of spec.hosts[1]',
      ],
      [
        hosts({ address: 'fd00::1' }, { address: 'FD00:0::1' }),
        'spec.hosts[2].address: the address FD00:0::1 with SSH port 22 is already that of spec.hosts[1]',
      ],
    ],
  },
  {
    id: 'unique-internal-addresses',
    // The same address twice is said once, by unique-addresses.
    holds: [hosts(worker), hosts({ address: '10.0.0.1' })],
    breaks: [
      [
        hosts({ address: '192.0.2.1', internalAddress: '10.0.0.1' }),
        'spec.hosts[1].internalAddress: the internal address 10.0.0.1 is already that of spec.hosts[0]',
      ],
    ],
  },
  {
    id: 'unique-roles',
    holds: [hosts({ roles: ['worker', 'control-plane'] })],
    breaks: [[hosts({ roles: ['worker', 'worker'] }), 'spec.hosts[1].roles[1]: the role worker stands twice']],
  },
  {
    id: 'unique-taints',
    holds: [hosts({ taints: [taint, { ...taint, effect: 'NoExecute' }, { ...taint, key: 'b' }] })],
    breaks: [
      [
        hosts({ taints: [taint, { ...taint, value: 'y' }] }),
        'spec.hosts[1].taints[1]: a taint with key a and effect NoSchedule stands above',
      ],
    ],
  },
  {
    id: 'one-subnet-for-each-family',
    holds: [{}, network({ podSubnets: ['10.244.0.0/16', 'fd00::/56'] })],
    breaks: [
      [
        network({ podSubnets: ['10.244.0.0/16', '10.245.0.0/16'] }),
        'spec.network.podSubnets[1]: two networks must be one IPv4 and one IPv6; both are IPv4',
      ],
    ],
  },
  {
    id: 'families-match',
    holds: [{}, network(ipv6)],
    breaks: [
      [
        network({ podSubnets: ['10.244.0.0/16', 'fd00::/56'] }),
        'spec.network.serviceSubnets: must have the IP families of podSubnets in the same order (IPv4, IPv6); found IPv4',
      ],
    ],
  },
  {
    id: 'pods-and-services-disjoint',
    holds: [{}],
    breaks: [
      [
        network({ serviceSubnets: ['10.240.0.0/12'] }),
        'spec.network.serviceSubnets[0]: 10.240.0.0/12 overlaps the pod subnet 10.244.0.0/16',
      ],
    ],
  },
  {
    id: 'addresses-outside-subnets',
    holds: [{}, hosts({ address: 'name.example.com' })],
    breaks: [
      [
        hosts({ address: '10.244.0.9', internalAddress: '10.97.0.1' }),
        [
          'spec.hosts[1].address: 10.244.0.9 lies inside the pod subnet 10.244.0.0/16',
          'spec.hosts[1].internalAddress: 10.97.0.1 lies inside the service subnet 10.96.0.0/12',
        ],
      ],
      [
        kubernetes({ controlPlaneEndpoint: { host: '10.96.0.1', port: 6443 } }),
        'spec.kubernetes.controlPlaneEndpoint: 10.96.0.1 lies inside the service subnet 10.96.0.0/12',
      ],
    ],
  },
  {
    id: 'usable-node-addresses',
    holds: [{}, network(ipv6, ipv6Host), hosts({ address: 'a.example.com', internalAddress: '10.0.0.3' })],
    breaks: [
      [
        hosts({ address: '127.0.0.1' }),
        'spec.hosts[1].address: 127.0.0.1 (in 127.0.0.0/8) cannot be the address of a node; give internalAddress',
      ],
      [
        hosts({ address: 'a', internalAddress: 'fe80::1' }),
        'spec.hosts[1].internalAddress: fe80::1 (in fe80::/10) cannot be the address of a node; give internalAddress',
      ],
      [network(ipv6), 'spec.hosts[0].address: the node address 10.0.0.1 must be IPv6, the first family of podSubnets'],
    ],
  },
  {
    id: 'pod-subnet-size',
    holds: [
      {},
      network({ podSubnets: ['10.244.0.0/24'] }),
      network({ podSubnets: ['10.244.0.0/22'] }, manyHosts(4)),
      network({ podSubnets: ['10.0.0.0/8'] }),
      network({ podSubnets: ['fd00::/48'] }),
    ],
    breaks: [
      [
        network({ podSubnets: ['10.244.0.0/25'] }),
        'spec.network.podSubnets[0]: 10.244.0.0/25 is too small: every node takes a /24, so it has room for 0 of 1 hosts',
      ],
      [
        network({ podSubnets: ['10.244.0.0/22'] }, manyHosts(5)),
        'spec.network.podSubnets[0]: 10.244.0.0/22 is too small: every node takes a /24, so it has room for 4 of 5 hosts',
      ],
      [
        network({ podSubnets: ['10.0.0.0/7'] }),
        'spec.network.podSubnets[0]: 10.0.0.0/7 is too large; the prefix must be /8 or longer',
      ],
      [
        network({ podSubnets: ['fd00::/47'] }),
        'spec.network.podSubnets[0]: fd00::/47 is too large; the prefix must be /48 or longer',
      ],
    ],
  },
  {
    id: 'max-pods-fit',
    holds: [
      {},
      kubernetes({ kubelet: { maxPods: 255 } }),
      { ...kubernetes({ kubelet: { maxPods: 500 } }), ...network(ipv6) },
    ],
    breaks: [
      [
        kubernetes({ kubelet: { maxPods: 256 } }),
        'spec.kubernetes.kubelet.maxPods: every node takes a /24 of the pod subnet, which has addresses for 255 pods; found 256',
      ],
    ],
  },
  {
    id: 'service-subnet-size',
    holds: [{}, network({ serviceSubnets: ['10.96.0.0/28'] }), network({ serviceSubnets: ['fd00::/108'] })],
    breaks: [
      [
        network({ serviceSubnets: ['10.96.0.0/29'] }),
        'spec.network.serviceSubnets[0]: 10.96.0.0/29 is too small; the prefix must lie between /12 and /28',
      ],
      [
        network({ serviceSubnets: ['fd00::/64'] }),
        'spec.network.serviceSubnets[0]: fd00::/64 is too large; the prefix must lie between /108 and /124',
      ],
    ],
  },
  {
    id: 'sysctl-lets-forward',
    holds: [{}, hostSettings({ sysctl: { 'net.ipv4.ip_forward': '1', 'vm.swappiness': '10' } })],
    breaks: [
      [
        hostSettings({ sysctl: { 'net.ipv4.ip_forward': '0' } }),
        'spec.hostSettings.sysctl["net.ipv4.ip_forward"]: Kubernetes needs net.ipv4.ip_forward = 1; leave it out',
      ],
    ],
  },
  {
    id: 'swap-fits-kubelet',
    holds: [{}, { ...hostSettings({ swap: 'leave' }), ...kubernetes({ kubelet: { failSwapOn: false } }) }],
    breaks: [
      [
        hostSettings({ swap: 'leave' }),
        'spec.hostSettings.swap: kubelet does not start where swap is on; set spec.kubernetes.kubelet.failSwapOn: false, too',
      ],
    ],
  },
  {
    id: 'repository-names-unique',
    holds: [{}, repositories({}, {})],
    breaks: [
      [
        repositories({ name: 'a' }, { name: 'a' }),
        'spec.hostSettings.packageRepositories.repositories[1].name: "a" is the name of repository 1, too',
      ],
    ],
  },
  {
    id: 'repository-components-fit',
    holds: [{}, repositories({}, { suites: ['x'], components: ['main'] }, { suites: ['x/'] })],
    breaks: [
      [
        repositories({ suites: ['x/'], components: ['main'] }),
        'spec.hostSettings.packageRepositories.repositories[0].components: components need suites that are no paths',
      ],
      [
        repositories({ suites: ['x'] }),
        'spec.hostSettings.packageRepositories.repositories[0]: suites need components, such as main',
      ],
    ],
  },
  {
    id: 'usable-virtual-address',
    holds: [{}, virtual()],
    breaks: [
      [
        virtual('fd00::100'),
        `${virtualPath}: fd00::100 must be IPv4: this version holds no IPv6 address for the API server`,
      ],
      [virtual('127.0.0.9'), `${virtualPath}: 127.0.0.9 cannot be the address of an API server`],
      [
        { ...virtual(), ...network(ipv6) },
        `${virtualPath}: the first family of podSubnets is IPv6, and a virtual address is IPv4`,
      ],
    ],
  },
  {
    id: 'virtual-address-of-no-host',
    holds: [{}, virtual()],
    breaks: [
      [virtual('10.0.0.1'), `${virtualPath}: 10.0.0.1 is the address of the host cp; it must be one of its own`],
    ],
  },
  {
    id: 'endpoint-leads-to-virtual-address',
    holds: [
      virtual('10.0.0.100', { host: 'api.example.com', port: 6443 }),
      virtual('10.0.0.100', { host: '10.0.0.100', port: 6443 }),
    ],
    breaks: [
      [
        virtual('10.0.0.100', { host: '10.0.0.50', port: 6443 }),
        'spec.kubernetes.controlPlaneEndpoint: 10.0.0.50 is not the virtual address 10.0.0.100; leave one of them out',
      ],
      [
        virtual('10.0.0.100', { host: 'api.example.com', port: 443 }),
        'spec.kubernetes.controlPlaneEndpoint: the port must be 6443: nothing forwards another one at a virtual address',
      ],
    ],
  },
  {
    id: 'repository-signed-index-has-key',
    holds: [{}, repositories({}, { signedIndex: true, keyFile: '/k' })],
    breaks: [
      [
        repositories({ signedIndex: true }),
        'spec.hostSettings.packageRepositories.repositories[0].signedIndex: give the keyFile that it is signed with',
      ],
    ],
  },
  {
    id: 'repository-logins-fit',
    holds: [
      {},
      { ...repositories({ url: 'https://m/debian' }), ...servers({ username: 'a', password: { env: 'A' } }) },
      { ...repositories({ url: 'https://other/debian' }), ...servers({ token: { env: 'A' } }) },
    ],
    breaks: [
      [
        { ...repositories({ url: 'https://m/$basearch' }), ...servers({ token: { env: 'A' } }) },
        'spec.hostSettings.packageRepositories.repositories[0].url: package managers know no token; give username and password for m in spec.artifacts.servers',
      ],
    ],
  },
  {
    id: 'overrides-without-identity',
    holds: [{}, kubernetes({ kubelet: { maxPods: 200 } })],
    breaks: [
      [
        kubernetes({ kubelet: { kind: 'x' }, kubeProxy: { apiVersion: 'x' } }),
        [
          'spec.kubernetes.kubelet.kind: the installer writes this field; leave it out',
          'spec.kubernetes.kubeProxy.apiVersion: the installer writes this field; leave it out',
        ],
      ],
    ],
  },
])('the rule $id', ({ id, holds, breaks }) => {
  it.each(holds)('holds for %j', (change) => {
    expect(findings(id, change)).toEqual([]);
  });

  it.each(breaks)('is broken by %j', (change, expected) => {
    expect(findings(id, change)).toEqual([expected].flat());
  });
});
