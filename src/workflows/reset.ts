import { exitCodes, InstallerError, type ExitCode } from '../errors.ts';
import { checkIdentity } from '../phases/check-identity.ts';
import { connect } from '../phases/connect.ts';
import { gatherFacts } from '../phases/gather-facts.ts';
import { removeKubeconfig } from '../phases/remove-kubeconfig.ts';
import { restoreHosts } from '../phases/restore-hosts.ts';
import { returnPackages } from '../phases/return-packages.ts';
import { resetControlPlanes, resetWorkers } from '../phases/reset-hosts.ts';
import type { Emitter } from '../report/emitter.ts';
import { loadClusterConfig } from '../spec/load.ts';
import { runOnCluster } from './run.ts';

export interface ResetInput {
  readonly configFile: string;
  readonly confirm: string;
  readonly dryRun: boolean;
  readonly concurrency: number;
  readonly runId: string;
  readonly logFile?: string;
}

/** Takes this cluster, and no other's, off the hosts of the file. */
export async function runReset(
  options: ResetInput,
  emitter: Emitter,
  signal: AbortSignal,
): Promise<{ exitCode: ExitCode }> {
  const config = await loadClusterConfig(options.configFile);
  const { name } = config.metadata;
  if (options.confirm !== name) {
    throw new InstallerError({
      code: 'NOT_CONFIRMED',
      message: `--confirm says "${options.confirm}", but the cluster of ${options.configFile} is "${name}"`,
      remedy: `reset takes the cluster and all its data away; to do so, give --confirm ${name}`,
      exitCode: exitCodes.usage,
    });
  }
  return runOnCluster(
    { ...options, config, skipPhases: [], verifyContent: false, ignoreChecks: [] },
    {
      name: 'reset',
      phases: (limiter, kubeconfigFile) => [
        connect(limiter),
        gatherFacts,
        checkIdentity,
        resetWorkers,
        resetControlPlanes,
        restoreHosts,
        removeKubeconfig(kubeconfigFile),
        returnPackages,
      ],
      next: (status) =>
        status === 'ok' && !options.dryRun
          ? [`installer cluster-create -c ${options.configFile}   # makes it anew`]
          : [],
    },
    emitter,
    signal,
  );
}
