import { exitCodes, InstallerError } from '../errors.ts';
import type { Cluster, Member } from './cluster.ts';

/** Why nothing may be taken away from a host: it is another cluster's, or nobody knows whose. Empty where it may. */
export function refuseForeign(member: Member, cluster: Cluster): InstallerError[] {
  const { identity, identityUnreadable, leftovers } = member.facts;
  const error = (message: string, remedy: string): InstallerError[] => [
    new InstallerError({
      code: 'NOT_THIS_CLUSTER',
      host: member.config.name,
      message,
      remedy,
      exitCode: exitCodes.precheckFailed,
    }),
  ];
  if (identityUnreadable !== undefined)
    return error(
      `its identity cannot be read: ${identityUnreadable}`,
      'see /var/lib/installer/cluster.json on the host',
    );
  if (identity === undefined) {
    if (leftovers.length === 0) return [];
    return error(
      `Kubernetes is here, but not by this installer: ${leftovers.join(', ')}`,
      'take the host out of the cluster file, or clean it by hand: kubeadm reset',
    );
  }
  if (identity.clusterName !== cluster.config.metadata.name || identity.clusterId !== cluster.clusterId) {
    return error(
      `the host belongs to cluster ${identity.clusterName} (${identity.clusterId}), not to this one`,
      'take the host out of the cluster file; reset it with the file of its own cluster',
    );
  }
  return [];
}
