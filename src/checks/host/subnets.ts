import { networkOf } from '../../hosts/facts-network.ts';
import { cidrContains, cidrsOverlap, parseCidr, parseIp, type Cidr } from '../../spec/cidr.ts';
import { belongsToCluster, type Cluster, type Member } from '../../kubernetes/cluster.ts';
import type { Found, HostCheck } from '../check.ts';

interface Subnet {
  readonly what: string;
  readonly text: string;
  readonly cidr: Cidr;
}

/** A prefix as short as this is a default route in other words (0.0.0.0/1 and 128.0.0.0/1 of VPNs). */
const shortestPrefix = 2;

export const subnetsDisjoint: HostCheck = {
  id: 'subnets-disjoint',
  scope: 'host',
  title: 'A subnet of the cluster is in use on the host',
  severity: 'error',
  expected: "no address and no route of the host inside the pod and service subnets, but the cluster's own",
  remedy: 'choose other spec.network.podSubnets or serviceSubnets, or take the address or route off the host',
  source: 'Kubernetes, "Cluster Networking": nodes, pods and services have ranges that do not overlap',
  reads: ['addresses', 'routes', 'routes6'],
  run(member, cluster) {
    const subnets = subnetsOf(cluster);
    return [...addressesWithin(member, cluster, subnets), ...routesWithin(member, cluster, subnets)];
  },
};

function subnetsOf(cluster: Cluster): Subnet[] {
  const { podSubnets, serviceSubnets } = cluster.config.spec.network;
  const toSubnet = (what: string) => (text: string) => {
    const cidr = parseCidr(text);
    return cidr === undefined ? [] : [{ what, text, cidr }];
  };
  return [...podSubnets.flatMap(toSubnet('pod')), ...serviceSubnets.flatMap(toSubnet('service'))];
}

function addressesWithin(member: Member, cluster: Cluster, subnets: readonly Subnet[]): Found[] {
  return member.facts.addresses.flatMap(({ address, interface: name }) => {
    const ip = parseIp(address);
    const within = ip && subnets.find(({ cidr }) => cidrContains(cidr, ip));
    if (within === undefined || (mayHavePods(member, cluster) && isOfPods(name))) return [];
    const actual = `${address} (${name}) lies in the ${within.what} subnet ${within.text}`;
    return [{ actual, reads: ['addresses'], about: (line) => line.includes(` ${address}/`) }];
  });
}

/**
 * A narrower route takes addresses out of the subnet. A wider one (a site's 10.0.0.0/8) loses against the routes of the pods:
 * what lies behind it in that range cannot be reached, which is told and stops nothing. A route for the service subnet itself is
 * what default-route asks for where there is no default route. Network plugins that route (Calico) lay routes that refuse over the
 * blocks of their node.
 */
function routesWithin(member: Member, cluster: Cluster, subnets: readonly Subnet[]): Found[] {
  const { routes } = member.facts;
  return routes.flatMap((entry): Found[] => {
    const { destination, via, interface: name, refusal } = entry;
    const route = networkOf(entry);
    if (route === undefined || route.prefixLength < shortestPrefix) return [];
    const isOurs =
      mayHavePods(member, cluster) &&
      (isOfPods(name ?? '') ||
        cluster.members.some(({ nodeAddress }) => nodeAddress === via) ||
        (refusal !== undefined && cluster.config.spec.network.plugin !== 'flannel'));
    if (isOurs) return [];
    const how = `the route ${refusal === undefined ? '' : `${refusal} `}${destination}${name === undefined ? '' : ` (${name})`}`;
    const lines = {
      reads: ['routes', 'routes6'],
      about: (line: string) => line.split(' ', 2).includes(destination),
    } as const;
    return subnets.flatMap(({ what, text, cidr }): Found[] => {
      if (!cidrsOverlap(route, cidr)) return [];
      if (route.prefixLength < cidr.prefixLength) {
        // Services that end in it are told by default-route.
        if (refusal !== undefined && what === 'service') return [];
        return [{ actual: `${how} covers the ${what} subnet ${text}, and more`, severity: 'warning', ...lines }];
      }
      if (what === 'service' && route.prefixLength === cidr.prefixLength && refusal === undefined) return [];
      return [{ actual: `${how} leads into the ${what} subnet ${text}`, ...lines }];
    });
  });
}

/** Whose cluster a host is of is read by root only; without root its pods get the benefit of the doubt. */
function mayHavePods(member: Member, cluster: Cluster): boolean {
  return !member.facts.isRoot || belongsToCluster(member, cluster);
}

/** Interfaces that network plugins and kube-proxy make. */
function isOfPods(name: string): boolean {
  return /^(cni|veth|flannel|kube-|cali|tunl|vxlan|cilium|lxc|nodelocaldns|ovn|genev|weave)/.test(name);
}
