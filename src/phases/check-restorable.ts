import type { ClusterPhase } from '../engine/phase.ts';
import { exitCodes, InstallerError } from '../errors.ts';
import type { Cluster, Member } from '../kubernetes/cluster.ts';
import { refuseForeign } from '../kubernetes/whose-host.ts';

/** Settings are not taken from under a cluster: that is what reset is for, which puts them back at its end. */
export function checkRestorable(resetCommand: string): ClusterPhase<Cluster> {
  return {
    scope: 'cluster',
    id: 'check-restorable',
    title: 'Check that no cluster stands on the hosts',
    required: true,
    runsOnDryRun: true,
    run(cluster) {
      const { members, unreachable, config } = cluster;
      const named = members.find(({ facts }) => facts.identity?.clusterName === config.metadata.name);
      cluster.clusterId = named?.facts.identity?.clusterId ?? '';
      const refused = members.flatMap((member) => {
        const foreign = refuseForeign(member, cluster);
        return foreign.length > 0 ? foreign : refuseCluster(member, resetCommand);
      });
      if (unreachable.length + refused.length > 0) throw new AggregateError([...unreachable, ...refused]);
      return Promise.resolve([]);
    },
  };
}

function refuseCluster({ config, facts }: Member, resetCommand: string): InstallerError[] {
  const found = [
    ...(facts.kubeletVersion === undefined ? [] : [`kubelet ${facts.kubeletVersion}`]),
    ...(facts.containerd?.isOurs === true ? [`containerd ${facts.containerd.version}`] : []),
    ...facts.leftovers.filter((path) => !path.startsWith('/etc/cni/')),
  ];
  if (found.length === 0) return [];
  return [
    new InstallerError({
      code: 'CLUSTER_PRESENT',
      host: config.name,
      message: `the cluster is still on this host: ${found.join(', ')}`,
      remedy: `take it away first, which puts back what was there before, too: ${resetCommand}`,
      exitCode: exitCodes.precheckFailed,
    }),
  ];
}
