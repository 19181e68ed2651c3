import type { HostPhase } from '../engine/phase.ts';
import type { Step } from '../engine/step.ts';
import type { Host } from '../hosts/host.ts';
import {
  artifactOf,
  firstControlPlane,
  hostsOf,
  isControlPlane,
  memberOf,
  versionsOf,
  type Cluster,
} from '../kubernetes/cluster.ts';
import { imagesStep, pullUnit, type ImagesStepInput } from '../kubernetes/images-step.ts';
import { unitName } from '../kubernetes/intent.ts';

/**
 * Pulls what each host will run, while other hosts still prepare: nothing waits for an image later. kubeadm init waits for
 * those alone that it starts; the others of that host come while it runs.
 */
export const distributeImages: HostPhase<Cluster> = {
  scope: 'host',
  id: 'distribute-images',
  title: 'Pull images',
  timeoutSeconds: 1800,
  hosts: (cluster) => hostsOf(cluster.members),
  steps(host, cluster) {
    const isFirst = host === firstControlPlane(cluster).host;
    const wanted = isControlPlane(memberOf(cluster, host)) ? 'control-plane' : 'worker';
    return [images(host, cluster, isFirst ? 'init' : wanted)];
  },
};

/** What the first control plane did not need for kubeadm init. */
export const completeImages: HostPhase<Cluster> = {
  scope: 'host',
  id: 'complete-images',
  title: 'Pull the remaining images',
  timeoutSeconds: 1800,
  hosts: (cluster) => [firstControlPlane(cluster).host],
  steps: (host, cluster) => [images(host, cluster, 'control-plane')],
};

function images(host: Host, cluster: Cluster, wanted: ImagesStepInput['wanted']): Step {
  const versions = versionsOf(cluster);
  return imagesStep({
    version: artifactOf(cluster, host, 'kubeadm').version,
    wanted,
    sandboxImage: versions.images.pause,
    more: versions.images.network,
    unit: pullUnit(cluster),
    laterUnit: unitName(cluster.clusterId, 'pull-later-images'),
  });
}
