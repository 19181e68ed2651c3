import type { HostPhase } from '../engine/phase.ts';
import { changes, noChanges, type Step } from '../engine/step.ts';
import { hostsOf, isControlPlane, memberOf, workers, type Cluster, type Member } from '../kubernetes/cluster.ts';
import { containerdPaths } from '../kubernetes/containerd-config.ts';
import { unitName } from '../kubernetes/intent.ts';
import { kubernetesPaths } from '../kubernetes/paths.ts';
import {
  kubeadmResetStep,
  removeArtifactStep,
  removeEmptyFolders,
  removeInterfacesStep,
  removeRulesStep,
  removeServiceStep,
} from '../kubernetes/reset-steps.ts';
import { virtualAddressPath, virtualAddressUnit } from '../kubernetes/virtual-address-step.ts';
import type { Action } from '../ops/action.ts';
import { fileQuery } from '../ops/query.ts';
import { absentStep, customStep } from '../steps/edit-step.ts';

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

/** A host that says nothing of any cluster has nothing to lose here, and no step touches it. */
function resetSteps(member: Member, cluster: Cluster): Step[] {
  if (member.facts.identity === undefined) return [];
  return [
    kubeadmResetStep(unitName(cluster.clusterId, 'kubeadm-reset'), keepsRuntime(member)),
    removeServiceStep(
      'kubelet.service',
      ['/etc/systemd/system/kubelet.service', '/etc/systemd/system/kubelet.service.d'],
      [],
    ),
    ...(isControlPlane(member) ? [removeServiceStep(virtualAddressUnit, [virtualAddressPath], [])] : []),
    ...runtimeSteps(member, cluster),
    ...['kubeadm', 'kubelet', 'kubectl', 'crictl', 'cni-plugins', 'runc', 'containerd'].map(removeArtifactStep),
    absentStep('crictl-config', '/etc/crictl.yaml'),
    absentStep('cni-binaries', '/opt/cni'),
    absentStep('kubeadm-init-config', kubernetesPaths.initConfig),
    removeInterfacesStep(),
    removeRulesStep('iptables'),
    removeRulesStep('ip6tables'),
  ];
}

function keepsRuntime({ facts: { containerd } }: Member): boolean {
  return containerd !== undefined && !containerd.isOurs;
}

/** Ours goes with its data; one that was on the host before gets its configuration back and goes on. */
function runtimeSteps(member: Member, cluster: Cluster): Step[] {
  const registries = Object.keys(cluster.config.spec.runtime.registries).map(
    (registry) => `${containerdPaths.registries}/${registry.replaceAll(':', '_')}`,
  );
  if (!keepsRuntime(member)) {
    const clean: Action[] = [
      { kind: 'unmount-below', path: '/run/containerd' },
      { kind: 'unmount-below', path: '/var/lib/containerd' },
      { kind: 'unmount-below', path: '/run/netns' },
      { kind: 'remove', path: '/run/containerd' },
      { kind: 'remove', path: '/var/lib/containerd' },
      { kind: 'remove', path: '/etc/containerd' },
      removeEmptyFolders('/opt/containerd'),
    ];
    return [
      removeServiceStep(
        'containerd.service',
        [containerdPaths.unit, '/etc/systemd/system/containerd.service.d', '/var/lib/containerd', '/etc/containerd'],
        clean,
      ),
    ];
  }
  return [restoreRuntimeStep(), ...registries.map((path) => absentStep(path, path))];
}

function restoreRuntimeStep(): Step {
  const dropIn = fileQuery(containerdPaths.dropIn, { content: false });
  const kept = fileQuery(containerdPaths.keptConfig, { content: false });
  return customStep('containerd-config', [dropIn, kept], (seen) => {
    if (seen(dropIn).state === 'absent' && seen(kept).state === 'absent') return noChanges;
    const back: Action[] =
      seen(kept).state === 'present'
        ? [{ kind: 'run', argv: ['mv', '-f', containerdPaths.keptConfig, containerdPaths.config], timeoutSeconds: 10 }]
        : [{ kind: 'remove', path: containerdPaths.config }];
    return changes({
      summary: 'give containerd its own configuration back',
      disruptive: true,
      actions: [
        ...back,
        { kind: 'remove', path: containerdPaths.dropIn },
        { kind: 'service', unit: '', do: 'daemon-reload' },
        { kind: 'service', unit: 'containerd.service', do: 'restart' },
      ],
    });
  });
}
