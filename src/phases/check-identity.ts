import type { ClusterPhase } from '../engine/phase.ts';
import { exitCodes, InstallerError } from '../errors.ts';
import { firstControlPlane, isControlPlane, type Cluster, type Member } from '../kubernetes/cluster.ts';

/** Nothing is taken away from a host that is another cluster's, or of which nobody knows whose it is. */
export const checkIdentity: ClusterPhase<Cluster> = {
  scope: 'cluster',
  id: 'check-identity',
  title: 'Check whose hosts these are',
  required: true,
  runsOnDryRun: true,
  run(cluster) {
    const known = cluster.members.filter(({ facts }) => facts.identity?.clusterName === cluster.config.metadata.name);
    const owner = known.find(isControlPlane) ?? known[0];
    cluster.clusterId = owner?.facts.identity?.clusterId ?? '';
    const refused = cluster.members.flatMap((member) => refuse(member, cluster));
    if (cluster.unreachable.length + refused.length > 0) throw new AggregateError([...cluster.unreachable, ...refused]);
    firstControlPlane(cluster);
    return Promise.resolve([]);
  },
};

function refuse(member: Member, cluster: Cluster): InstallerError[] {
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
