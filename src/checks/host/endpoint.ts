import { endpointName, foreignEndpoint } from '../../kubernetes/endpoint.ts';
import { formatEndpoint } from '../../spec/formats.ts';
import type { HostCheck } from '../check.ts';

/**
 * While the control plane listens on the port of the API server, every host connects to it through the endpoint. That a load
 * balancer refuses, because its own look at the API server finds none yet, shows that it is there.
 */
export const endpointReachable: HostCheck = {
  id: 'endpoint-reachable',
  scope: 'host',
  title: 'The endpoint of the control plane is not reached',
  severity: 'error',
  expected:
    'where controlPlaneEndpoint is a load balancer or a name: the host knows the name, and something answers at the address and port',
  remedy:
    'set up the load balancer with the control plane behind it, the name in DNS or /etc/hosts, and the route there; or correct spec.kubernetes.controlPlaneEndpoint',
  source: 'kubeadm, "Creating Highly Available Clusters": the load balancer comes first; host requirements',
  reads: ['endpointProbe', 'endpointName'],
  run({ config }, cluster) {
    const endpoint = foreignEndpoint(cluster.config);
    const name = endpointName(cluster.config);
    const virtual = cluster.config.spec.kubernetes.virtualAddress?.address;
    if (endpoint === undefined) return [];
    const addresses = cluster.probed.get(config.name)?.endpointAddresses;
    if (name !== undefined && addresses?.length === 0)
      return [{ actual: `no address is known for ${name}`, reads: ['endpointName'], seen: `${name}: nothing` }];
    if (name !== undefined && virtual !== undefined && addresses?.includes(virtual) === false) {
      const actual = `${name} is ${addresses.join(', ')}, not the virtual address ${virtual}`;
      return [{ actual, reads: ['endpointName'], seen: `${name}: ${addresses.join(', ')}` }];
    }
    const outcome = cluster.peers.get(config.name)?.endpoint;
    if (outcome === undefined || outcome === 'open' || outcome === 'refused') return [];
    const actual = `${formatEndpoint(endpoint)}: ${outcome.toLowerCase()}`;
    return [{ actual, seen: actual, reads: ['endpointProbe'] }];
  },
};
