import type { Port } from '../steps/firewall-steps.ts';
import { isControlPlane, willPrepare, type Cluster, type Member } from './cluster.ts';
import { apiPort } from './paths.ts';

/** Whether prepare-hosts opens the firewall of this host, or turns it off. */
export function opensFirewall({ facts }: Member, cluster: Cluster): boolean {
  return facts.firewall !== undefined && cluster.config.spec.hostSettings.firewall !== 'leave' && willPrepare(cluster);
}

/** Ports that other hosts reach on this one, by its roles and the network plugin; source: Kubernetes, "Ports and protocols". */
export function portsOf(member: Member, cluster: Cluster): Port[] {
  const endpoint = cluster.config.spec.kubernetes.controlPlaneEndpoint?.port ?? apiPort;
  const controlPlane: Port[] = [
    { port: String(apiPort), protocol: 'tcp', purpose: 'API server' },
    ...(endpoint === apiPort
      ? []
      : [{ port: String(endpoint), protocol: 'tcp', purpose: 'control-plane endpoint' } as const]),
    { port: '2379-2380', protocol: 'tcp', purpose: 'etcd' },
  ];
  return [
    ...(isControlPlane(member) ? controlPlane : []),
    { port: '10250', protocol: 'tcp', purpose: 'kubelet' },
    { port: '10256', protocol: 'tcp', purpose: 'health of kube-proxy' },
    { port: '30000-32767', protocol: 'tcp', purpose: 'NodePorts' },
    { port: '30000-32767', protocol: 'udp', purpose: 'NodePorts' },
    ...(cluster.config.spec.network.plugin === 'flannel'
      ? [{ port: '8472', protocol: 'udp', purpose: 'VXLAN of flannel' } as const]
      : []),
  ];
}
