import type { HostPhase } from '../engine/phase.ts';
import { packageManagerOf } from '../kubernetes/host-distro.ts';
import { hostsOf, memberOf, type Cluster } from '../kubernetes/cluster.ts';
import { returnPackagesStep } from '../steps/removed-packages-step.ts';

/**
 * Puts packages back that prepare-hosts removed. After everything else, because the repositories that they come from are back only
 * then, and because it can fail: a host may reach none of them. The record stays in that case, for the next run.
 */
export const returnPackages: HostPhase<Cluster> = {
  scope: 'host',
  id: 'return-packages',
  title: 'Put removed packages back',
  timeoutSeconds: 1800,
  hosts: (cluster) => hostsOf(cluster.members),
  steps(host, cluster) {
    const manager = packageManagerOf(memberOf(cluster, host));
    return manager === undefined ? [] : [returnPackagesStep('removed-packages', manager)];
  },
};
