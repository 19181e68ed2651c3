import type { HostPhase } from '../engine/phase.ts';
import { hostsOf, memberOf, type Cluster } from '../kubernetes/cluster.ts';
import { containerdFolders, kubernetesFolders, pluginFolders } from '../kubernetes/take-away.ts';
import { renderIdentity } from '../kubernetes/intent.ts';
import type { Action } from '../ops/action.ts';
import { hostPaths } from '../ops/host-paths.ts';
import { fileStep } from '../steps/file-step.ts';
import { tunings } from '../tuning/index.ts';

/** Everything of the host itself that a cluster needs, or that the cluster file asks for; docs/tuning.md has the list. */
export const prepareHosts: HostPhase<Cluster> = {
  scope: 'host',
  id: 'prepare-hosts',
  title: 'Prepare hosts',
  timeoutSeconds: 1200,
  hosts: (cluster) => hostsOf(cluster.members),
  steps(host, cluster) {
    const member = memberOf(cluster, host);
    const identity = renderIdentity({ clusterId: cluster.clusterId, clusterName: cluster.config.metadata.name });
    return [
      // First of all: from here on the host is this cluster's, also when the run ends right after.
      fileStep({ id: 'identity', path: hostPaths.identity, content: identity, mode: '644', first: [recordFolders] }),
      ...tunings.flatMap((tuning) => tuning.steps(member, cluster)),
    ];
  },
};

/** While no program of a cluster has run: reset leaves what was in them. */
const recordFolders: Action = {
  kind: 'record',
  thing: { kind: 'folders', paths: [...kubernetesFolders, ...containerdFolders, ...pluginFolders] },
};
