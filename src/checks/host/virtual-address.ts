import { isControlPlane, virtualInterfaceOf, type Cluster, type Member } from '../../kubernetes/cluster.ts';
import { cidrContains, formatCidr, formatIp, parseCidr, parseIp, type Cidr } from '../../spec/cidr.ts';
import type { HostCheck } from '../check.ts';

export const interfaceExists: HostCheck = {
  id: 'interface-exists',
  scope: 'host',
  title: 'There is no such interface',
  severity: 'error',
  expected: 'the interface that spec.kubernetes.virtualAddress names is on the control plane',
  remedy: 'correct spec.kubernetes.virtualAddress.interface, or leave it out: that of the node address is taken',
  source: 'host requirements: the interface named in the cluster file exists on the host',
  reads: ['links'],
  run(member, cluster) {
    const name = cluster.config.spec.kubernetes.virtualAddress?.interface;
    if (name === undefined || !isControlPlane(member) || member.facts.mtus.has(name)) return [];
    return [{ actual: `no ${name} among ${[...member.facts.mtus.keys()].join(', ')}` }];
  },
};

/** An address of another subnet is nobody's neighbour: no ARP request for it would ever reach the control plane. */
export const vipInSubnet: HostCheck = {
  id: 'vip-in-subnet',
  scope: 'host',
  title: 'The virtual address is in no subnet of its interface',
  severity: 'error',
  expected:
    'the virtual address is in a subnet of the interface of the control plane, and neither its first nor its last address',
  remedy: 'set spec.kubernetes.virtualAddress.address to a free address of the subnet, or name another interface',
  source: 'host requirements: VIP in the subnet of the hosts; RFC 1122, 3.2.1.3: network and broadcast addresses',
  reads: ['addresses'],
  run(member, cluster) {
    const virtual = cluster.config.spec.kubernetes.virtualAddress;
    const ip = virtual && parseIp(virtual.address);
    const name = virtualInterfaceOf(member, cluster);
    const isKnown = name !== undefined && member.facts.mtus.has(name);
    if (virtual === undefined || ip === undefined || !isControlPlane(member) || !isKnown) return [];
    const subnets = subnetsOf(member, cluster, name);
    const about = (line: string): boolean => line.split(' ')[1] === name;
    const within = subnets.find((cidr) => cidrContains(cidr, ip));
    if (within === undefined) {
      const shown = subnets.map(formatCidr).join(', ') || 'no IPv4 subnet';
      return [{ actual: `${virtual.address} is not in ${shown} of ${name}`, about }];
    }
    const last = within.first + (1n << BigInt(32 - within.prefixLength)) - 1n;
    const edge = ip.value === within.first ? 'network' : ip.value === last ? 'broadcast' : undefined;
    if (edge === undefined || within.prefixLength > 30) return [];
    return [{ actual: `${formatIp(ip)} is the ${edge} address of ${formatCidr(within)}`, about }];
  },
};

/** IPv4 subnets of an interface, without what the virtual address itself is there. */
function subnetsOf({ facts }: Member, { config }: Cluster, name: string): Cidr[] {
  const own = config.spec.kubernetes.virtualAddress?.address;
  const found = facts.addresses.flatMap((entry) => {
    const cidr = parseCidr(`${entry.address}/${entry.prefixLength}`);
    const counts = entry.interface === name && entry.address !== own && cidr?.family === 4;
    return counts ? [cidr] : [];
  });
  return [...new Map(found.map((cidr) => [formatCidr(cidr), cidr])).values()];
}
