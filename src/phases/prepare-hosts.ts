import { isIPv6 } from 'node:net';
import type { HostPhase } from '../engine/phase.ts';
import type { Step } from '../engine/step.ts';
import { hostsOf, type Cluster } from '../kubernetes/cluster.ts';
import { renderIdentity } from '../kubernetes/intent.ts';
import { hostPaths } from '../ops/host-paths.ts';
import { customStep, editStep } from '../steps/edit-step.ts';
import { fileStep } from '../steps/file-step.ts';
import { commentSwapEntries } from '../steps/fstab.ts';
import { editHostsBlock } from '../steps/hosts-block.ts';
import { kernelModulesStep, kubernetesFeatures } from '../steps/kernel-modules-step.ts';
import { sysctlStep, type SysctlSetting } from '../steps/sysctl-step.ts';
import { changes, noChanges } from '../engine/step.ts';
import { fileQuery } from '../ops/query.ts';

export const preparePaths = {
  modules: '/etc/modules-load.d/installer.conf',
  sysctl: '/etc/sysctl.d/90-installer.conf',
} as const;

/** Kernel modules, kernel parameters, swap and the names of the cluster's hosts. */
export const prepareHosts: HostPhase<Cluster> = {
  scope: 'host',
  id: 'prepare-hosts',
  title: 'Prepare hosts',
  timeoutSeconds: 120,
  hosts: (cluster) => hostsOf(cluster.members),
  steps(_, cluster) {
    const identity = renderIdentity({ clusterId: cluster.clusterId, clusterName: cluster.config.metadata.name });
    return [
      // First of all: from here on the host is this cluster's, also when the run ends right after.
      fileStep({ id: 'identity', path: hostPaths.identity, content: identity, mode: '644' }),
      kernelModulesStep('kernel-modules', preparePaths.modules, kubernetesFeatures),
      sysctlStep('kernel-parameters', preparePaths.sysctl, kernelParameters(cluster)),
      swapStep(),
      editStep({
        id: 'swap-entries',
        path: '/etc/fstab',
        record: {},
        summary: 'comment swap out',
        edit: (content) => commentSwapEntries(content),
      }),
      editStep({
        id: 'hosts-block',
        path: '/etc/hosts',
        record: {},
        summary: "set the names of the cluster's hosts",
        edit: (content) => editHostsBlock(content, hostLines(cluster)),
      }),
    ];
  },
};

function hostLines(cluster: Cluster): string[] {
  return cluster.members.map(({ nodeAddress, config }) => `${nodeAddress} ${config.name}`);
}

/** What kubelet, kube-proxy and the CNI need; source: Kubernetes' container runtime and kubelet documentation. */
function kernelParameters(cluster: Cluster): SysctlSetting[] {
  const hasIpv6 = cluster.config.spec.network.podSubnets.some((subnet) => isIPv6(subnet.split('/')[0] ?? ''));
  return [
    { key: 'net.ipv4.ip_forward', value: '1', isRequired: true },
    ...(hasIpv6 ? [{ key: 'net.ipv6.conf.all.forwarding', value: '1', isRequired: true }] : []),
    { key: 'net.bridge.bridge-nf-call-iptables', value: '1', isRequired: true },
    { key: 'net.bridge.bridge-nf-call-ip6tables', value: '1', isRequired: true },
    { key: 'fs.inotify.max_user_instances', value: '8192', raiseOnly: true },
    { key: 'fs.inotify.max_user_watches', value: '524288', raiseOnly: true },
    { key: 'vm.max_map_count', value: '262144', raiseOnly: true },
  ];
}

const swaps = fileQuery('/proc/swaps');

function swapStep(): Step {
  return customStep('swap-off', [swaps], (seen) => {
    const answer = seen(swaps);
    const lines = answer.state === 'present' ? (answer.value.content ?? '').trim().split('\n').slice(1) : [];
    if (lines.length === 0) return noChanges;
    const devices = lines.map((line) => line.split(/\s+/)[0]).join(', ');
    return changes({
      summary: `turn swap off (${devices})`,
      disruptive: true,
      actions: [
        { kind: 'record', thing: { kind: 'swap' } },
        { kind: 'run', argv: ['swapoff', '-a'], timeoutSeconds: 110 },
      ],
    });
  });
}
