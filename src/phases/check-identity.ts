import type { ClusterPhase } from '../engine/phase.ts';
import { firstControlPlane, isControlPlane, type Cluster } from '../kubernetes/cluster.ts';
import { refuseForeign } from '../kubernetes/whose-host.ts';

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
    const refused = cluster.members.flatMap((member) => refuseForeign(member, cluster));
    if (cluster.unreachable.length + refused.length > 0) throw new AggregateError([...cluster.unreachable, ...refused]);
    firstControlPlane(cluster);
    return Promise.resolve([]);
  },
};
