import type { HostPhase } from '../engine/phase.ts';
import { firstControlPlane, hostsOf, isControlPlane, memberOf, type Cluster } from '../kubernetes/cluster.ts';
import { kubeletConfigMapStep, kubeletConfigStep, kubeProxyConfigStep } from '../kubernetes/component-config-steps.ts';

/** Brings overrides of kubelet and kube-proxy that were changed after the cluster was made to where they count. */
export const configureComponents: HostPhase<Cluster> = {
  scope: 'host',
  id: 'configure-components',
  title: 'Configure kubelet and kube-proxy',
  timeoutSeconds: 300,
  hosts: (cluster) => hostsOf(cluster.members),
  steps(host, cluster) {
    const { kubelet, kubeProxy } = cluster.config.spec.kubernetes;
    const needs = isControlPlane(memberOf(cluster, host)) ? 'init-control-plane' : 'join-workers';
    const onNode = kubeletConfigStep(kubelet, needs);
    const first = firstControlPlane(cluster);
    if (host !== first.host) return [onNode];
    return [
      onNode,
      kubeletConfigMapStep(first.config.name, kubelet, needs),
      kubeProxyConfigStep(first.config.name, kubeProxy, needs),
    ];
  },
};
