import type { Severity } from '../report/events.ts';
import { isControlPlane, type Cluster, type Member } from './cluster.ts';

/** A port of one host that another one must reach. */
export interface NeededPort {
  readonly protocol: 'tcp' | 'udp';
  readonly port: number;
  readonly severity: Severity;
  /** Who listens there. */
  readonly what: string;
}

/** Where a host is waited for, whatever its role: the kubelet's. */
export const rendezvousPort = 10250;
/** Where bandwidth is measured: the port of kube-proxy's health, on which no probe listens just before. */
export const bandwidthPort = 10256;
/** VXLAN as flannel, Cilium and others use it on Linux. */
export const vxlanPort = 8472;

/**
 * Ports of `to` that `from` must reach. Source: Kubernetes, "Ports and protocols"; flannel, "Backends". Metrics are read from the
 * kubelets by pods of any node; etcd is asked by control planes, and by network plugins that keep their state there.
 */
export function neededPorts(from: Member, to: Member, cluster: Cluster): NeededPort[] {
  const isFromControlPlane = isControlPlane(from);
  const ports: NeededPort[] = [
    { protocol: 'tcp', port: rendezvousPort, severity: isFromControlPlane ? 'error' : 'warning', what: 'kubelet' },
  ];
  if (isControlPlane(to)) {
    const severity = isFromControlPlane ? 'error' : 'warning';
    ports.push(
      { protocol: 'tcp', port: 6443, severity: 'error', what: 'API server' },
      { protocol: 'tcp', port: 2379, severity, what: 'etcd' },
      { protocol: 'tcp', port: 2380, severity, what: 'etcd' },
    );
  }
  if (cluster.config.spec.network.plugin === 'flannel')
    ports.push({ protocol: 'udp', port: vxlanPort, severity: 'error', what: 'flannel' });
  return ports;
}

/** Each host sends its large datagram to so many of those that follow it in the file: a link has two ends, not a hundred. */
const largeTargets = 3;

/** `from` and `to`: places in the list of `count` members. */
export function isSentLarge(from: number, to: number, count: number): boolean {
  return from !== to && (to - from + count) % count <= largeTargets;
}
