import type { HostPhase } from '../engine/phase.ts';
import type { Step } from '../engine/step.ts';
import { hostsOf, isControlPlane, memberOf, workers, type Cluster, type Member } from '../kubernetes/cluster.ts';
import { unitName } from '../kubernetes/intent.ts';
import { flannelPlugin } from '../kubernetes/paths.ts';
import {
  removeArtifactStep,
  removeInterfacesStep,
  removeKubernetesStep,
  removeRulesStep,
  stopServiceStep,
} from '../kubernetes/reset-steps.ts';
import { containerdFolders, containerdMounts } from '../kubernetes/take-away.ts';
import { virtualAddressUnit } from '../kubernetes/virtual-address-step.ts';

/** Workers go first: while they leave, the control plane still answers. */
export const resetWorkers: HostPhase<Cluster> = {
  scope: 'host',
  id: 'reset-workers',
  title: 'Reset workers',
  timeoutSeconds: 600,
  hosts: (cluster) => hostsOf(workers(cluster)),
  steps: (host, cluster) => resetSteps(memberOf(cluster, host), cluster),
};

export const resetControlPlanes: HostPhase<Cluster> = {
  scope: 'host',
  id: 'reset-control-planes',
  title: 'Reset control planes',
  timeoutSeconds: 600,
  hosts: (cluster) => hostsOf(cluster.members.filter(isControlPlane)),
  after: ['reset-workers'],
  steps: (host, cluster) => resetSteps(memberOf(cluster, host), cluster),
};

/**
 * A host that says nothing of any cluster has nothing to lose here, and no step touches it. Files that stood in the way of ours,
 * and states of units, are not put back here but by restore-hosts, as the record says.
 */
function resetSteps(member: Member, cluster: Cluster): Step[] {
  if (member.facts.identity === undefined) return [];
  return [
    removeKubernetesStep(unitName(cluster.clusterId, 'remove-kubernetes')),
    stopServiceStep('kubelet.service', [], []),
    ...(isControlPlane(member) ? [stopServiceStep(virtualAddressUnit, [], [])] : []),
    ...(keepsRuntime(member)
      ? []
      : [stopServiceStep('containerd.service', containerdFolders, [{ kind: 'unmount', prefixes: containerdMounts }])]),
    ...['kubeadm', 'kubelet', 'kubectl', 'crictl', 'cni-plugins', 'runc', 'containerd'].map((name) =>
      removeArtifactStep(name, leftBy[name]),
    ),
    removeInterfacesStep(),
    removeRulesStep('iptables'),
    removeRulesStep('ip6tables'),
  ];
}

function keepsRuntime({ facts: { containerd } }: Member): boolean {
  return containerd !== undefined && !containerd.isOurs;
}

/** What programs lay down and make beside the files of an archive: it goes with them. */
const leftBy: Readonly<Record<string, { readonly files: readonly string[]; readonly folders: readonly string[] }>> = {
  'cni-plugins': { files: [flannelPlugin], folders: ['/opt/cni/bin', '/opt/cni'] },
  containerd: { files: [], folders: ['/opt/containerd'] },
};
