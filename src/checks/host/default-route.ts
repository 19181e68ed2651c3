import { networkOf, type Route } from '../../hosts/facts-network.ts';
import type { Member } from '../../kubernetes/cluster.ts';
import { cidrContains, parseCidr, type Cidr } from '../../spec/cidr.ts';
import type { Found, HostCheck } from '../check.ts';

/**
 * The kernel looks for a way to a service address before kube-proxy may change it: without one the host itself reaches no service.
 * So each service subnet must be covered by a route that leads somewhere, in its own family.
 */
export const defaultRoute: HostCheck = {
  id: 'default-route',
  scope: 'host',
  title: 'No route for the service subnet',
  severity: 'error',
  expected: 'for each service subnet a default route of its IP family, or one that covers the subnet',
  remedy:
    'add a default route (a gateway that does not forward will do), or a route for the service subnet to the interface of the node address',
  source: 'kubeadm, "Installing kubeadm": network adapters; kube-proxy needs a route for service addresses',
  reads: ['routes', 'routes6'],
  run(member, cluster) {
    return cluster.config.spec.network.serviceSubnets.flatMap((text) => {
      const subnet = parseCidr(text);
      return subnet === undefined ? [] : judge(member, subnet, text);
    });
  },
};

function judge({ facts: { routes } }: Member, subnet: Cidr, text: string): Found[] {
  const [best] = routes
    .flatMap((route) => {
      const network = networkOf(route);
      return network !== undefined && covers(network, subnet) ? [{ route, network }] : [];
    })
    .toSorted((a, b) => b.network.prefixLength - a.network.prefixLength);
  const source = subnet.family === 4 ? 'routes' : 'routes6';
  if (best === undefined) {
    const shown = routes.filter((route) => networkOf(route)?.family === subnet.family).map(nameOf);
    return [
      { actual: `none of IPv${subnet.family} covers ${text}: ${shown.join(', ') || 'no routes'}`, reads: [source] },
    ];
  }
  const { refusal } = best.route;
  // One for the very subnet is told by subnets-disjoint.
  if (refusal === undefined || best.network.prefixLength === subnet.prefixLength) return [];
  const actual = `${text} ends in the route ${nameOf(best.route)}`;
  return [{ actual, reads: [source], about: (line) => line.startsWith(refusal) }];
}

function covers(network: Cidr, subnet: Cidr): boolean {
  return (
    network.prefixLength <= subnet.prefixLength && cidrContains(network, { family: subnet.family, value: subnet.first })
  );
}

/** `10.0.0.0/24`, `blackhole 10.96.0.0/12`. */
function nameOf({ refusal, destination }: Route): string {
  return refusal === undefined ? destination : `${refusal} ${destination}`;
}
