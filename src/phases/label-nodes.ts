import type { HostPhase } from '../engine/phase.ts';
import { firstControlPlane, type Cluster } from '../kubernetes/cluster.ts';
import { nodeLabelsStep } from '../kubernetes/node-labels-step.ts';

/** Labels and taints of the cluster file. */
export const labelNodes: HostPhase<Cluster> = {
  scope: 'host',
  id: 'label-nodes',
  title: 'Label nodes',
  timeoutSeconds: 300,
  hosts: (cluster) => [firstControlPlane(cluster).host],
  after: ['join-workers'],
  looksAgain: true,
  steps: (_, cluster) => [nodeLabelsStep(cluster.config.spec.hosts)],
};
