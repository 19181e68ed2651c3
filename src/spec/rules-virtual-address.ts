import { cidrContains, parseCidr, parseIp, type Cidr, type IpAddress } from './cidr.ts';
import { defaultApiPort, type ClusterConfig } from './config.ts';
import type { Issue, YamlPath } from './problems.ts';
import type { Rule } from './rule.ts';

export const virtualAddressPath: YamlPath = ['spec', 'kubernetes', 'virtualAddress', 'address'];

/** Networks that no node can have its address in: this host, loopback, link-local, multicast and above. */
const unusable = ['0.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', '224.0.0.0/3', '::/127', 'fe80::/10', 'ff00::/8'];

/** The one of them that an address lies in. */
export function unusableNetworkOf(ip: IpAddress): Cidr | undefined {
  return unusable.map(parseCidr).find((cidr) => cidr !== undefined && cidrContains(cidr, ip));
}

function issue(reason: string): Issue[] {
  return [{ path: virtualAddressPath, reason }];
}

/** Neighbours are told by ARP where the address is, so it is IPv4, and so are the nodes. */
const usable: Rule = {
  id: 'usable-virtual-address',
  reads: ['kubernetes', 'network'],
  check(spec) {
    const text = spec.kubernetes.virtualAddress?.address;
    const ip = text === undefined ? undefined : parseIp(text);
    if (text === undefined || ip === undefined) return [];
    if (ip.family === 6) return issue(`${text} must be IPv4: this version holds no IPv6 address for the API server`);
    if (unusableNetworkOf(ip) !== undefined) return issue(`${text} cannot be the address of an API server`);
    const isIpv6 = parseCidr(spec.network.podSubnets[0] ?? '')?.family === 6;
    return isIpv6 ? issue('the first family of podSubnets is IPv6, and a virtual address is IPv4') : [];
  },
};

const nobodysAddress: Rule = {
  id: 'virtual-address-of-no-host',
  reads: ['kubernetes', 'hosts'],
  check({ kubernetes, hosts }) {
    const { virtualAddress } = kubernetes;
    const owner = hosts.find(({ address, internalAddress }) =>
      [address, internalAddress].includes(virtualAddress?.address),
    );
    if (virtualAddress === undefined || owner === undefined) return [];
    return issue(`${virtualAddress.address} is the address of the host ${owner.name}; it must be one of its own`);
  },
};

/** What answers at the address is the API server itself. */
const endpointLeadsThere: Rule = {
  id: 'endpoint-leads-to-virtual-address',
  reads: ['kubernetes'],
  check({ kubernetes: { virtualAddress, controlPlaneEndpoint } }: ClusterConfig['spec']) {
    if (virtualAddress === undefined || controlPlaneEndpoint === undefined) return [];
    const path = ['spec', 'kubernetes', 'controlPlaneEndpoint'];
    const { host, port } = controlPlaneEndpoint;
    if (parseIp(host) !== undefined && host !== virtualAddress.address)
      return [{ path, reason: `${host} is not the virtual address ${virtualAddress.address}; leave one of them out` }];
    if (port === defaultApiPort) return [];
    return [{ path, reason: `the port must be ${defaultApiPort}: nothing forwards another one at a virtual address` }];
  },
};

export const virtualAddressRules: readonly Rule[] = [usable, nobodysAddress, endpointLeadsThere];
