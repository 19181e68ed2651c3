import { exitCodes, type ExitCode } from '../errors.ts';
import { tellPrechecks } from '../phases/run-prechecks.ts';
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

/**
 * What cluster-create would do, as an answer: exit code 0 where that is nothing, 6 where it is something. What it would not get
 * past (a finding that is an error) is a difference, too, and does not keep the others from being shown.
 */
export async function runDiff(
  options: DiffInput,
  emitter: Emitter,
  signal: AbortSignal,
): Promise<{ exitCode: ExitCode }> {
  const { configFile, runId } = options;
  const config = await loadClusterConfig(configFile);
  const found = { differs: false, errors: false };
  const watching: Emitter = {
    ...emitter,
    emit(body) {
      // A plan that is deferred is one that something is missing for.
      if (body.type === 'step.planned') found.differs ||= body.changes.length > 0 || body.deferredUntil !== undefined;
      if (body.type === 'check.finding') found.errors ||= body.severity === 'error' && !body.ignored;
      emitter.emit(body);
    },
  };
  const { exitCode } = await runOnCluster(
    { ...options, config, dryRun: true, skipPhases: [] },
    {
      name: 'diff',
      phases: (limiter, kubeconfigFile) =>
        clusterCreatePhases(limiter, runId, kubeconfigFile, tellPrechecks).filter(
          (phase) => phase.scope === 'host' || phase.runsOnDryRun,
        ),
      next: (status) =>
        status === 'ok' && (found.differs || found.errors)
          ? [
              `installer cluster-create ${sameInput(options)}   # ${found.errors ? 'once the errors above are mended, ' : ''}brings it back`,
            ]
          : [],
    },
    watching,
    signal,
  );
  return { exitCode: diffExitCode(exitCode, found.differs || found.errors) };
}

/**
 * A difference that was seen is one, also where something else could not be compared. Nothing is ever partly done by a look: where
 * nothing was seen and something not compared, the comparison failed.
 */
export function diffExitCode(exitCode: ExitCode, differs: boolean): ExitCode {
  const isCompared = exitCode === exitCodes.ok;
  const isPartlyCompared = exitCode === exitCodes.operationFailed || exitCode === exitCodes.partlyDone;
  if (differs && (isCompared || isPartlyCompared)) return exitCodes.driftFound;
  return isPartlyCompared ? exitCodes.operationFailed : exitCode;
}
