import type { HostPhase } from '../engine/phase.ts';
import { firstControlPlane, versionsOf, type Cluster } from '../kubernetes/cluster.ts';
import { initStep, type FixedSetting } from '../kubernetes/init-step.ts';
import { apiEndpoint, renderInitConfig } from '../kubernetes/kubeadm-config.ts';
import { formatEndpoint } from '../spec/formats.ts';
import type { ClusterConfig } from '../spec/schema.ts';

function fixedSettings(config: ClusterConfig, nodeAddress: string): FixedSetting[] {
  const { podSubnets, serviceSubnets } = config.spec.network;
  return [
    { field: 'spec.network.podSubnets', path: ['networking', 'podSubnet'], value: podSubnets.join(',') },
    { field: 'spec.network.serviceSubnets', path: ['networking', 'serviceSubnet'], value: serviceSubnets.join(',') },
    {
      field: 'spec.kubernetes.controlPlaneEndpoint',
      path: ['controlPlaneEndpoint'],
      value: formatEndpoint(apiEndpoint(config, nodeAddress)),
    },
  ];
}

/** kubeadm init on the first control plane, once. */
export function initControlPlane(runId: string): HostPhase<Cluster> {
  return {
    scope: 'host',
    id: 'init-control-plane',
    title: 'Initialise the control plane',
    timeoutSeconds: 900,
    hosts: (cluster) => [firstControlPlane(cluster).host],
    steps(_, cluster) {
      const { config: host, nodeAddress } = firstControlPlane(cluster);
      const { config, clusterId } = cluster;
      const version = versionsOf(cluster).kubernetes.version;
      return [
        initStep({
          nodeName: host.name,
          identity: { clusterId, clusterName: config.metadata.name },
          runId,
          config: renderInitConfig({ config, host, nodeAddress, version }),
          timeoutSeconds: 600,
          fixed: fixedSettings(config, nodeAddress),
        }),
      ];
    },
  };
}
