import { randomBytes } from 'node:crypto';
import type { ClusterPhase } from '../engine/phase.ts';
import { messageOf } from '../errors.ts';
import { missingReport, parsePeerReport, type PeerReport } from '../hosts/peer-report.ts';
import type { Probed } from '../hosts/probed.ts';
import { isNode, type Cluster, type Member } from '../kubernetes/cluster.ts';
import { endpointToTry } from '../kubernetes/endpoint.ts';
import { planProbes } from '../kubernetes/probe-plan.ts';
import { peerProbeQuery, type PeerProbe } from '../ops/peer-probe.ts';
import { planMeasures, type Measure } from '../kubernetes/probe-measures.ts';

/**
 * All hosts listen on the ports of Kubernetes and probe each other, in one script each and at the same time. Only where it
 * tells something new: hosts that are all nodes of this cluster already know each other. What is measured on a host comes
 * behind it, in the same script.
 */
export const probePeers: ClusterPhase<Cluster> = probePeersWhere(
  (cluster) => !cluster.members.every((member) => isNode(member, cluster)),
);

/** The same, where `isWanted` says so. */
export function probePeersWhere(isWanted: (cluster: Cluster) => boolean): ClusterPhase<Cluster> {
  return {
    scope: 'cluster',
    id: 'probe-peers',
    title: 'Probe the network',
    runsOnDryRun: true,
    async run(cluster, { signal }) {
      const { members, config } = cluster;
      if (!isWanted(cluster)) return [];
      const names = members.map((member) => member.config.name);
      const planOf = planProbes(cluster, randomBytes(6).toString('hex'));
      const hasPeers = members.length > 1 || endpointToTry(config) !== undefined;
      const answers = await Promise.all(
        members.map(async (member, index) => {
          const plan = hasPeers ? planOf(index) : undefined;
          return { member, ...(await probe(member, { plan, measures: planMeasures(cluster, index) }, names, signal)) };
        }),
      );
      cluster.peers = new Map(
        answers.flatMap(({ member, report }) => (report === undefined ? [] : [[member.config.name, report]])),
      );
      cluster.probed = new Map(answers.map(({ member, probed }) => [member.config.name, probed]));
      return [];
    },
  };
}

interface Answer {
  readonly report?: PeerReport;
  readonly probed: Probed;
}

async function probe(
  member: Member,
  { plan, measures }: { readonly plan: PeerProbe | undefined; readonly measures: readonly Measure[] },
  names: readonly string[],
  signal: AbortSignal,
): Promise<Answer> {
  const peers = plan === undefined || !member.facts.tools.has('bash') ? undefined : peerProbeQuery(plan);
  const missing = plan === undefined ? {} : { report: missingReport('it has no bash') };
  const queries = [...(peers === undefined ? [] : [peers]), ...measures.map(({ query }) => query)];
  if (queries.length === 0) return { ...missing, probed: {} };
  try {
    const seconds = measures.reduce((sum, { query }) => sum + query.timeoutSeconds, 0);
    const timeoutMs = (plan?.windowMs ?? 0) + 17_000 + seconds * 1000;
    const seen = await member.host.observeOnce(queries, { timeoutMs, signal, together: true });
    return {
      ...(peers === undefined ? missing : { report: parsePeerReport(seen(peers), names) }),
      probed: Object.assign({}, ...measures.map((measure) => measure.read(seen(measure.query)))) as Probed,
    };
  } catch (error) {
    if (signal.aborted) throw error;
    return { ...(plan === undefined ? {} : { report: missingReport(messageOf(error)) }), probed: {} };
  }
}
