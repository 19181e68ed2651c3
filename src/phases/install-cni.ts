import type { HostPhase } from '../engine/phase.ts';
import { firstControlPlane, versionsOf, type Cluster } from '../kubernetes/cluster.ts';
import { renderFlannel } from '../kubernetes/flannel.ts';
import { apiEndpoint } from '../kubernetes/kubeadm-config.ts';
import { manifestStep } from '../kubernetes/manifest-step.ts';

/** The network of the pods. */
export const installCni: HostPhase<Cluster> = {
  scope: 'host',
  id: 'install-cni',
  title: 'Install the pod network',
  timeoutSeconds: 300,
  hosts: (cluster) => (cluster.config.spec.network.plugin === 'none' ? [] : [firstControlPlane(cluster).host]),
  after: ['init-control-plane'],
  steps(_, cluster) {
    const { podSubnets } = cluster.config.spec.network;
    const endpoint = apiEndpoint(cluster.config, firstControlPlane(cluster).nodeAddress);
    return [
      manifestStep(
        'flannel',
        renderFlannel({ podSubnets, images: versionsOf(cluster).images.network, endpoint }),
        'kube-flannel',
        firstControlPlane(cluster).config.name,
        'init-control-plane',
      ),
    ];
  },
};
