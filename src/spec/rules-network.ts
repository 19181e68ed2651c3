import {
  type Cidr,
  type IpAddress,
  addressBits,
  cidrContains,
  cidrsOverlap,
  formatCidr,
  parseCidr,
  parseIp,
} from './cidr.ts';
import type { ClusterConfig } from './config.ts';
import type { Issue, YamlPath } from './problems.ts';
import type { Rule } from './rule.ts';
import { unusableNetworkOf, virtualAddressPath } from './rules-virtual-address.ts';

type Spec = ClusterConfig['spec'];
type SubnetField = 'podSubnets' | 'serviceSubnets';

interface Subnet {
  readonly path: YamlPath;
  readonly cidr: Cidr;
  readonly text: string;
}

function subnetsOf(spec: Spec, field: SubnetField): Subnet[] {
  return spec.network[field].flatMap((text, index) => {
    const cidr = parseCidr(text);
    return cidr === undefined ? [] : [{ path: ['spec', 'network', field, index], cidr, text }];
  });
}

function familiesOf(subnets: readonly Subnet[]): string {
  return subnets.map(({ cidr }) => `IPv${cidr.family}`).join(', ');
}

const oneSubnetForEachFamily: Rule = {
  id: 'one-subnet-for-each-family',
  reads: ['network'],
  check: (spec) =>
    (['podSubnets', 'serviceSubnets'] as const).flatMap((field) => {
      const [first, second] = subnetsOf(spec, field);
      if (first === undefined || second === undefined || first.cidr.family !== second.cidr.family) return [];
      return [
        { path: second.path, reason: `two networks must be one IPv4 and one IPv6; both are ${familiesOf([first])}` },
      ];
    }),
};

const familiesMatch: Rule = {
  id: 'families-match',
  reads: ['network'],
  check: (spec) => {
    const pods = familiesOf(subnetsOf(spec, 'podSubnets'));
    const services = familiesOf(subnetsOf(spec, 'serviceSubnets'));
    if (pods === services) return [];
    const reason = `must have the IP families of podSubnets in the same order (${pods}); found ${services}`;
    return [{ path: ['spec', 'network', 'serviceSubnets'], reason }];
  },
};

const podsAndServicesDisjoint: Rule = {
  id: 'pods-and-services-disjoint',
  reads: ['network'],
  check: (spec) =>
    subnetsOf(spec, 'serviceSubnets').flatMap((service) =>
      subnetsOf(spec, 'podSubnets')
        .filter((pod) => cidrsOverlap(pod.cidr, service.cidr))
        .map((pod) => ({ path: service.path, reason: `${service.text} overlaps the pod subnet ${pod.text}` })),
    ),
};

interface NamedAddress {
  readonly path: YamlPath;
  readonly text: string;
  readonly ip: IpAddress;
}

function addressesOf(spec: Spec): NamedAddress[] {
  const texts: [YamlPath, string | undefined][] = spec.hosts.flatMap(
    (host, index): [YamlPath, string | undefined][] => [
      [['spec', 'hosts', index, 'address'], host.address],
      [
        ['spec', 'hosts', index, 'internalAddress'],
        host.internalAddress === host.address ? undefined : host.internalAddress,
      ],
    ],
  );
  texts.push([['spec', 'kubernetes', 'controlPlaneEndpoint'], spec.kubernetes.controlPlaneEndpoint?.host]);
  texts.push([virtualAddressPath, spec.kubernetes.virtualAddress?.address]);
  return texts.flatMap(([path, text]) => {
    const ip = text === undefined ? undefined : parseIp(text);
    return text === undefined || ip === undefined ? [] : [{ path, text, ip }];
  });
}

const addressesOutsideSubnets: Rule = {
  id: 'addresses-outside-subnets',
  reads: ['network', 'hosts', 'kubernetes'],
  check: (spec) => {
    const named = (['podSubnets', 'serviceSubnets'] as const).flatMap((field) =>
      subnetsOf(spec, field).map((subnet) => ({ ...subnet, what: field === 'podSubnets' ? 'pod' : 'service' })),
    );
    return addressesOf(spec).flatMap(({ path, text, ip }) =>
      named
        .filter(({ cidr }) => cidrContains(cidr, ip))
        .map((subnet) => ({ path, reason: `${text} lies inside the ${subnet.what} subnet ${subnet.text}` })),
    );
  },
};

const usableNodeAddresses: Rule = {
  id: 'usable-node-addresses',
  reads: ['hosts', 'network'],
  check: (spec) => {
    const primary = subnetsOf(spec, 'podSubnets')[0]?.cidr.family;
    return spec.hosts.flatMap((host, index): Issue[] => {
      const ip = host.internalAddress === undefined ? undefined : parseIp(host.internalAddress);
      if (host.internalAddress === undefined || ip === undefined) return [];
      const path = ['spec', 'hosts', index, host.internalAddress === host.address ? 'address' : 'internalAddress'];
      const within = unusableNetworkOf(ip);
      if (within !== undefined) {
        const reason = `${host.internalAddress} (in ${formatCidr(within)}) cannot be the address of a node; give internalAddress`;
        return [{ path, reason }];
      }
      if (primary === undefined || ip.family === primary) return [];
      const reason = `the node address ${host.internalAddress} must be IPv${primary}, the first family of podSubnets`;
      return [{ path, reason }];
    });
  },
};

/** Defaults of kube-controller-manager's --node-cidr-mask-size flags. */
export const nodePrefixLength = { 4: 24, 6: 64 } as const;
/** kubeadm and kube-controller-manager refuse more than 2^16 node networks in one subnet. */
const maxNodeBits = 16;

const podSubnetSize: Rule = {
  id: 'pod-subnet-size',
  reads: ['network', 'hosts'],
  check: (spec) =>
    subnetsOf(spec, 'podSubnets').flatMap(({ path, text, cidr }) => {
      const nodePrefix = nodePrefixLength[cidr.family];
      const nodeBits = nodePrefix - cidr.prefixLength;
      const room = nodeBits < 0 ? 0 : 2 ** nodeBits;
      if (nodeBits > maxNodeBits) {
        const smallest = nodePrefix - maxNodeBits;
        return [{ path, reason: `${text} is too large; the prefix must be /${smallest} or longer` }];
      }
      if (room >= Math.max(1, spec.hosts.length)) return [];
      const reason = `${text} is too small: every node takes a /${nodePrefix}, so it has room for ${room} of ${spec.hosts.length} hosts`;
      return [{ path, reason }];
    }),
};

/**
 * Of the 256 addresses of a node's /24, two are no host's and one is the bridge's; kube-proxy and the network plugin are pods
 * that need none.
 */
const mostPodsOfNode = 255;

const maxPodsFit: Rule = {
  id: 'max-pods-fit',
  reads: ['network', 'kubernetes'],
  check: (spec) => {
    const { maxPods } = spec.kubernetes.kubelet;
    const hasIpv4 = subnetsOf(spec, 'podSubnets').some(({ cidr }) => cidr.family === 4);
    if (typeof maxPods !== 'number' || !hasIpv4 || maxPods <= mostPodsOfNode) return [];
    const reason = `every node takes a /${nodePrefixLength[4]} of the pod subnet, which has addresses for ${mostPodsOfNode} pods; found ${maxPods}`;
    return [{ path: ['spec', 'kubernetes', 'kubelet', 'maxPods'], reason }];
  },
};

/** kubeadm wants at least 10 addresses for services and at most 20 bits (its constants MinimumAddressesInServiceSubnet and MaximumBitsForServiceSubnet). */
const serviceSubnetSize: Rule = {
  id: 'service-subnet-size',
  reads: ['network'],
  check: (spec) =>
    subnetsOf(spec, 'serviceSubnets').flatMap(({ path, text, cidr }) => {
      const bits = addressBits(cidr.family) - cidr.prefixLength;
      if (bits >= 4 && bits <= 20) return [];
      const [largest, smallest] = [addressBits(cidr.family) - 20, addressBits(cidr.family) - 4];
      const size = bits < 4 ? 'small' : 'large';
      return [{ path, reason: `${text} is too ${size}; the prefix must lie between /${largest} and /${smallest}` }];
    }),
};

/** Every rule about addresses and subnets. */
export const networkRules: readonly Rule[] = [
  oneSubnetForEachFamily,
  familiesMatch,
  podsAndServicesDisjoint,
  addressesOutsideSubnets,
  usableNodeAddresses,
  podSubnetSize,
  maxPodsFit,
  serviceSubnetSize,
];
