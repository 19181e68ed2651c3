import { dirname, join, resolve } from 'node:path';
import type { Phase, RunContext, Workflow } from '../engine/phase.ts';
import { runWorkflow, type RunResult } from '../engine/runner.ts';
import { InstallerError, type ExitCode } from '../errors.ts';
import { programVersion } from '../assets.ts';
import { createCluster, type Cluster } from '../kubernetes/cluster.ts';
import type { Supply } from '../kubernetes/supply.ts';
import { createLimiter, type Limiter } from '../lib/concurrency.ts';
import type { Emitter } from '../report/emitter.ts';
import type { RunStatus } from '../report/events.ts';
import type { ClusterConfig } from '../spec/schema.ts';
import type { BundleUse } from './use-bundle.ts';

export interface RunClusterOptions {
  readonly config: ClusterConfig;
  readonly configFile: string;
  readonly runId: string;
  readonly dryRun: boolean;
  readonly concurrency: number;
  readonly skipPhases: readonly string[];
  readonly verifyContent: boolean;
  readonly ignoreChecks: readonly string[];
  readonly logFile?: string | undefined;
  /** What hosts get everything from; without one they fetch it themselves. */
  readonly bundle?: BundleUse | undefined;
}

export interface RunParts {
  readonly name: string;
  phases(limiter: Limiter, kubeconfigFile: string): readonly Phase<Cluster>[];
  next(status: RunStatus, cluster: Cluster): readonly string[];
}

/** Runs a workflow on the hosts of a cluster file, closes every connection, and gives the exit code. */
export async function runOnCluster(
  options: RunClusterOptions,
  parts: RunParts,
  emitter: Emitter,
  signal: AbortSignal,
): Promise<{ exitCode: ExitCode }> {
  const { bundle } = options;
  if (bundle === undefined) return runPhases(options, parts, emitter, signal, undefined);
  // Only now: other runs need neither the reader of bundles nor the server.
  const { withSupply } = await import('./use-bundle.ts');
  const onWarning = (message: string): void => emitter.emit({ type: 'log', level: 'warning', message });
  return withSupply(options.config, bundle, onWarning, (config, supply) =>
    runPhases({ ...options, config }, parts, emitter, signal, supply),
  );
}

async function runPhases(
  options: RunClusterOptions,
  parts: RunParts,
  emitter: Emitter,
  signal: AbortSignal,
  supply: Supply | undefined,
): Promise<{ exitCode: ExitCode }> {
  const secrets = new Map<string, string>();
  const { config } = options;
  const cluster = createCluster(
    config,
    { verifyContent: options.verifyContent, ignoreChecks: options.ignoreChecks, skipPhases: options.skipPhases },
    secrets,
    supply,
  );
  const limiter = createLimiter(options.concurrency);
  const context: RunContext = {
    runId: options.runId,
    emitter,
    signal,
    concurrency: options.concurrency,
    dryRun: options.dryRun,
    secrets,
    setSecret(name, value) {
      emitter.addSecret(value);
      secrets.set(name, value);
    },
  };
  const workflow: Workflow<Cluster> = {
    name: parts.name,
    phases: parts.phases(limiter, kubeconfigPath(options.configFile, config)),
  };
  try {
    const result = await runWorkflow({
      workflow,
      state: cluster,
      context,
      version: programVersion,
      clusterName: config.metadata.name,
      hostNames: config.spec.hosts.map(({ name }) => name),
      skipPhases: options.skipPhases,
      logFile: options.logFile,
      trips: () => Object.fromEntries([...cluster.hosts].map(([name, host]) => [name, host.transport.trips])),
      next: (status) => parts.next(status, cluster),
    });
    return { exitCode: exitCodeOf(result, signal) };
  } finally {
    await Promise.all([...cluster.hosts.values()].map((host) => host.transport.close()));
    await cluster.bastions.close();
  }
}

/** What a command line for the same hosts has behind its name. */
export function sameInput({ configFile, bundle }: Pick<RunClusterOptions, 'configFile' | 'bundle'>): string {
  const key = bundle?.keyFile === undefined ? '' : ` --key ${bundle.keyFile}`;
  const from = bundle === undefined ? '' : ` --bundle ${bundle.path}${key}`;
  return `-c ${configFile}${from}`;
}

/** Beside the cluster file: whoever has the one finds the other. */
export function kubeconfigPath(configFile: string, config: ClusterConfig): string {
  return join(dirname(resolve(configFile)), `${config.metadata.name}.kubeconfig`);
}

/** 130 or 143: which signal it was is known by the reason of the abort. */
function exitCodeOf(result: RunResult, signal: AbortSignal): ExitCode {
  const reason: unknown = signal.reason;
  return result.status === 'interrupted' && reason instanceof InstallerError ? reason.exitCode : result.exitCode;
}
