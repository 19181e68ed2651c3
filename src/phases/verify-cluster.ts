import type { ClusterPhase, RunContext } from '../engine/phase.ts';
import { waitForConditions } from '../health/condition.ts';
import { corednsReady, nodesReady, systemPodsReady } from '../health/conditions.ts';
import { probeNetwork } from '../health/probe.ts';
import { firstControlPlane, versionsOf, type Cluster, type Member } from '../kubernetes/cluster.ts';

/** Reads always; starts pods that try the network only where this run changed something. */
export const verifyCluster: ClusterPhase<Cluster> = {
  scope: 'cluster',
  id: 'verify-cluster',
  title: 'Verify the cluster',
  runsOnDryRun: false,
  async run(cluster, context, { changed }) {
    const member = firstControlPlane(cluster);
    const { host } = member;
    const names = cluster.config.spec.hosts.map(({ name }) => name);
    const hasNetwork = cluster.config.spec.network.plugin !== 'none';
    if (!hasNetwork) {
      context.emitter.emit({
        type: 'log',
        level: 'info',
        message: 'spec.network.plugin is none: nodes become Ready and pods start when a network plugin is installed',
      });
      return [];
    }
    await waitForConditions(host, [nodesReady(names), corednsReady], context);
    // kubelet tells of its static pods up to 20 s after their start; the network can be tried meanwhile.
    const results = await Promise.allSettled([
      waitForConditions(host, [systemPodsReady], context),
      ...(changed > 0 ? [tryNetwork(member, names, versionsOf(cluster).images.probe, context)] : []),
    ]);
    for (const result of results) if (result.status === 'rejected') throw result.reason;
    return [];
  },
};

async function tryNetwork(member: Member, names: readonly string[], image: string, context: RunContext): Promise<void> {
  const { questions } = await probeNetwork(member, names, image, context);
  context.emitter.emit({
    type: 'log',
    level: 'info',
    message: `names, service addresses and pods of other hosts answer from every node (${questions} probes)`,
  });
}
