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
import { imagePullOf } from '../kubernetes/image-pull.ts';
import { imagesStep, pullUnit, type ImagesStepInput } from '../kubernetes/images-step.ts';
import { unitName } from '../kubernetes/intent.ts';

/** What kubeadm init starts; the other images of that host come while it runs. */
export const pullInitImages: HostPhase<Cluster> = {
  scope: 'host',
  id: 'pull-init-images',
  title: 'Pull images of the control plane',
  timeoutSeconds: 1800,
  hosts: (cluster) => [firstControlPlane(cluster).host],
  steps: (host, cluster) => [images(host, cluster, 'init')],
};

/** Pulls what each other host will run, while the control plane is made: nothing waits for an image later. */
export const distributeImages: HostPhase<Cluster> = {
  scope: 'host',
  id: 'distribute-images',
  title: 'Pull images',
  timeoutSeconds: 1800,
  hosts: (cluster) => hostsOf(cluster.members).filter((host) => host !== firstControlPlane(cluster).host),
  steps(host, cluster) {
    return [images(host, cluster, isControlPlane(memberOf(cluster, host)) ? 'control-plane' : 'worker')];
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
    more: [...versions.images.network, ...probeImage(cluster)],
    unit: pullUnit(cluster),
    laterUnit: unitName(cluster.clusterId, 'pull-later-images'),
    pull: imagePullOf(cluster, host),
  });
}

/** kubelet pulls it by itself, unless the bundle is the only one that has it. */
function probeImage(cluster: Cluster): readonly string[] {
  if (cluster.supply === undefined || cluster.config.spec.network.plugin === 'none') return [];
  return [versionsOf(cluster).images.probe];
}
