import type { HostPhase } from '../engine/phase.ts';
import { artifactOf, hostsOf, isControlPlane, memberOf, versionsOf, type Cluster } from '../kubernetes/cluster.ts';
import { imagesStep } from '../kubernetes/images-step.ts';
import { unitName } from '../kubernetes/intent.ts';

/** Pulls what each host will run, while other hosts still prepare: nothing waits for an image later. */
export const distributeImages: HostPhase<Cluster> = {
  scope: 'host',
  id: 'distribute-images',
  title: 'Pull images',
  timeoutSeconds: 1800,
  hosts: (cluster) => hostsOf(cluster.members),
  steps(host, cluster) {
    const { images } = versionsOf(cluster);
    return [
      imagesStep({
        version: artifactOf(cluster, host, 'kubeadm').version,
        isControlPlane: isControlPlane(memberOf(cluster, host)),
        sandboxImage: images.pause,
        more: images.network,
        unit: unitName(cluster.clusterId, 'pull-images'),
      }),
    ];
  },
};
