import type { ExitCode } from '../errors.ts';
import { connect } from '../phases/connect.ts';
import { gatherFacts } from '../phases/gather-facts.ts';
import { prepareHosts } from '../phases/prepare-hosts.ts';
import { probePeers } from '../phases/probe-peers.ts';
import { runPrechecks } from '../phases/run-prechecks.ts';
import type { Emitter } from '../report/emitter.ts';
import { loadClusterConfig } from '../spec/load.ts';
import { runOnCluster, sameInput } from './run.ts';
import type { BundleUse } from './use-bundle.ts';

export interface PrepareInput {
  readonly configFile: string;
  readonly dryRun: boolean;
  readonly concurrency: number;
  readonly ignoreChecks: readonly string[];
  readonly runId: string;
  readonly logFile?: string;
  readonly bundle?: BundleUse;
}

/** Brings the hosts to what a cluster needs, as cluster-create does first of all, and installs nothing of Kubernetes. */
export async function runPrepare(
  options: PrepareInput,
  emitter: Emitter,
  signal: AbortSignal,
): Promise<{ exitCode: ExitCode }> {
  const { configFile, dryRun } = options;
  const config = await loadClusterConfig(configFile);
  return runOnCluster(
    { ...options, config, skipPhases: [], verifyContent: false },
    {
      name: 'prepare',
      phases: (limiter) => [connect(limiter), gatherFacts, probePeers, runPrechecks, prepareHosts],
      next(status) {
        if (status !== 'ok') return [];
        if (dryRun) return [`installer prepare ${sameInput(options)}`];
        return [
          `installer cluster-create ${sameInput(options)}`,
          `installer restore-host -c ${configFile}   # puts back what was there before`,
        ];
      },
    },
    emitter,
    signal,
  );
}
