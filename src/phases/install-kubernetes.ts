import { readAsset } from '../assets.ts';
import type { HostPhase } from '../engine/phase.ts';
import { artifactOf, hostsOf, type Cluster } from '../kubernetes/cluster.ts';
import type { Action } from '../ops/action.ts';
import { fetchServers } from '../kubernetes/host-servers.ts';
import { fetchSource } from '../kubernetes/supply.ts';
import { kubernetesPaths } from '../kubernetes/paths.ts';
import { directoryStep } from '../steps/edit-step.ts';
import { artifactStep } from '../steps/artifact-step.ts';
import { fileStep, sha256 } from '../steps/file-step.ts';
import { digestDropIn, serviceStep } from '../steps/service-step.ts';

export const kubeletPaths = {
  unit: '/etc/systemd/system/kubelet.service',
  kubeadmDropIn: '/etc/systemd/system/kubelet.service.d/10-kubeadm.conf',
  digestDropIn: '/etc/systemd/system/kubelet.service.d/20-installer.conf',
} as const;

export const kubernetesBinaries = ['kubeadm', 'kubelet', 'kubectl'] as const;

/** kubeadm, kubelet and kubectl, and the unit of kubelet. kubeadm starts kubelet; here it is only kept running. */
export const installKubernetes: HostPhase<Cluster> = {
  scope: 'host',
  id: 'install-kubernetes',
  title: 'Install Kubernetes binaries',
  timeoutSeconds: 900,
  hosts: (cluster) => hostsOf(cluster.members),
  steps(host, cluster) {
    const unit = readAsset('templates/systemd/kubelet.service');
    const dropIn = readAsset('templates/systemd/kubelet-kubeadm.conf');
    const kubelet = artifactOf(cluster, host, 'kubelet');
    const digest = sha256([unit, dropIn, kubelet.version, kubelet.sha256 ?? ''].join('\n'));
    return [
      ...kubernetesBinaries
        .map((name) => artifactOf(cluster, host, name))
        .map((artifact) =>
          artifactStep({
            artifact,
            install: { as: 'file', path: `/usr/local/bin/${artifact.name}`, mode: '755' },
            verifyContent: cluster.options.verifyContent,
            servers: fetchServers(cluster, [artifact.url, artifact.checksumUrl ?? artifact.url]),
            source: fetchSource(cluster, host, artifact),
          }),
        ),
      directoryStep('static-pods', kubernetesPaths.manifests, '755'),
      fileStep({ id: 'kubelet-unit', path: kubeletPaths.unit, content: unit, mode: '644', then: [reload] }),
      fileStep({
        id: 'kubelet-kubeadm',
        path: kubeletPaths.kubeadmDropIn,
        content: dropIn,
        mode: '644',
        then: [reload],
      }),
      fileStep({
        id: 'kubelet-digest',
        path: kubeletPaths.digestDropIn,
        content: digestDropIn(digest),
        mode: '644',
        then: [reload],
      }),
      serviceStep({
        id: 'kubelet-service',
        unit: 'kubelet.service',
        digest,
        then: [],
        runsOnlyWith: '/var/lib/kubelet/config.yaml',
      }),
    ];
  },
};

const reload: Action = { kind: 'service', unit: '', do: 'daemon-reload' };
