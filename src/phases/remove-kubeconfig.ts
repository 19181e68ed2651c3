import { rm, stat } from 'node:fs/promises';
import type { ClusterPhase } from '../engine/phase.ts';
import type { Cluster } from '../kubernetes/cluster.ts';

/** Takes the kubeconfig of the cluster that is gone off this machine. */
export function removeKubeconfig(path: string): ClusterPhase<Cluster> {
  return {
    scope: 'cluster',
    id: 'remove-kubeconfig',
    title: 'Remove kubeconfig',
    runsOnDryRun: false,
    async run() {
      const isThere = await stat(path).then(
        () => true,
        () => false,
      );
      if (!isThere) return [];
      await rm(path);
      return [{ summary: `remove ${path}` }];
    },
  };
}
