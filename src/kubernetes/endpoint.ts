import { parseIp } from '../spec/cidr.ts';
import type { ClusterConfig, Endpoint } from '../spec/config.ts';

/** The endpoint where it is none of the cluster's own addresses: a load balancer, or a name that somebody else resolves. */
export function foreignEndpoint({ spec }: ClusterConfig): Endpoint | undefined {
  const { controlPlaneEndpoint, virtualAddress } = spec.kubernetes;
  if (controlPlaneEndpoint === undefined) return undefined;
  const own = spec.hosts.flatMap(({ name, address, internalAddress }) => [name, address, internalAddress]);
  return [...own, virtualAddress?.address].includes(controlPlaneEndpoint.host) ? undefined : controlPlaneEndpoint;
}

/** The name that every host has to resolve. */
export function endpointName(config: ClusterConfig): string | undefined {
  const host = foreignEndpoint(config)?.host;
  return host === undefined || parseIp(host) !== undefined ? undefined : host;
}

/** Where a connection can be tried before there is an API server: not to an address that nobody holds yet. */
export function endpointToTry(config: ClusterConfig): Endpoint | undefined {
  return config.spec.kubernetes.virtualAddress === undefined ? foreignEndpoint(config) : undefined;
}
