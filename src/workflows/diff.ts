import { exitCodes, type ExitCode } from '../errors.ts';
import type { Emitter } from '../report/emitter.ts';
import { loadClusterConfig } from '../spec/load.ts';
import { clusterCreatePhases } from './cluster-create.ts';
import { runOnCluster, sameInput } from './run.ts';
import type { BundleUse } from './use-bundle.ts';

export interface DiffInput {
  readonly configFile: string;
  readonly concurrency: number;
  readonly verifyContent: boolean;
  readonly ignoreChecks: readonly string[];
  readonly runId: string;
  readonly logFile?: string;
  readonly bundle?: BundleUse;
}

/** What cluster-create would do, as an answer: exit code 0 where that is nothing, 6 where it is something. */
export async function runDiff(
  options: DiffInput,
  emitter: Emitter,
  signal: AbortSignal,
): Promise<{ exitCode: ExitCode }> {
  const { configFile, runId } = options;
  const config = await loadClusterConfig(configFile);
  let differs = false;
  const watching: Emitter = {
    ...emitter,
    emit(body) {
      // A plan that is deferred is one that something is missing for.
      if (body.type === 'step.planned') differs ||= body.changes.length > 0 || body.deferredUntil !== undefined;
      emitter.emit(body);
    },
  };
  const { exitCode } = await runOnCluster(
    { ...options, config, dryRun: true, skipPhases: [] },
    {
      name: 'diff',
      phases: (limiter, kubeconfigFile) =>
        clusterCreatePhases(limiter, runId, kubeconfigFile).filter(
          (phase) => phase.scope === 'host' || phase.runsOnDryRun,
        ),
      next: (status) =>
        status === 'ok' && differs ? [`installer cluster-create ${sameInput(options)}   # brings it back`] : [],
    },
    watching,
    signal,
  );
  return { exitCode: diffExitCode(exitCode, differs) };
}

/** Nothing is ever partly done by a look: where a host could not be compared, the comparison failed. */
export function diffExitCode(exitCode: ExitCode, differs: boolean): ExitCode {
  if (exitCode === exitCodes.ok) return differs ? exitCodes.driftFound : exitCodes.ok;
  return exitCode === exitCodes.partlyDone ? exitCodes.operationFailed : exitCode;
}
