import type { ExitCode } from '../errors.ts';
import { connect } from '../phases/connect.ts';
import { gatherFacts } from '../phases/gather-facts.ts';
import { probePeersWhere } from '../phases/probe-peers.ts';
import { runPrechecksWith } from '../phases/run-prechecks.ts';
import type { Emitter } from '../report/emitter.ts';
import { loadClusterConfig } from '../spec/load.ts';
import { runOnCluster, sameInput } from './run.ts';
import type { BundleUse } from './use-bundle.ts';

export interface PrecheckInput {
  readonly configFile: string;
  readonly concurrency: number;
  readonly ignoreChecks: readonly string[];
  /** Warnings count as errors. */
  readonly strict: boolean;
  readonly runId: string;
  readonly logFile?: string;
  readonly bundle?: BundleUse;
}

/** Looks at the hosts as cluster-create does before it changes anything, and ends there. */
export async function runPrecheck(
  options: PrecheckInput,
  emitter: Emitter,
  signal: AbortSignal,
): Promise<{ exitCode: ExitCode }> {
  const { configFile, strict } = options;
  const config = await loadClusterConfig(configFile);
  return runOnCluster(
    { ...options, config, dryRun: false, skipPhases: [], verifyContent: false },
    {
      name: 'precheck',
      phases: (limiter) => [
        connect(limiter, { withoutRoot: true, spareShells: 1 }),
        gatherFacts,
        probePeersWhere(() => true),
        runPrechecksWith({ strict }),
      ],
      next: (status) => (status === 'ok' ? [`installer cluster-create ${sameInput(options)} --dry-run`] : []),
    },
    emitter,
    signal,
  );
}
