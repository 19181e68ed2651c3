import { exitCodes, InstallerError, type ExitCode } from '../errors.ts';
import { checkRestorable } from '../phases/check-restorable.ts';
import { connect } from '../phases/connect.ts';
import { gatherFacts } from '../phases/gather-facts.ts';
import { restoreHosts } from '../phases/restore-hosts.ts';
import { returnPackages } from '../phases/return-packages.ts';
import type { Emitter } from '../report/emitter.ts';
import { loadClusterConfig } from '../spec/load.ts';
import type { ClusterConfig } from '../spec/schema.ts';
import { runOnCluster } from './run.ts';

export interface RestoreHostInput {
  readonly configFile: string;
  /** Names in the cluster file; empty for all hosts. */
  readonly hosts: readonly string[];
  readonly dryRun: boolean;
  readonly concurrency: number;
  readonly runId: string;
  readonly logFile?: string;
}

/** Puts back what prepare changed, on hosts that no cluster stands on. */
export async function runRestoreHost(
  options: RestoreHostInput,
  emitter: Emitter,
  signal: AbortSignal,
): Promise<{ exitCode: ExitCode }> {
  const { configFile, dryRun } = options;
  const config = onlyHosts(await loadClusterConfig(configFile), options.hosts);
  const resetCommand = `installer reset -c ${configFile} --confirm ${config.metadata.name}`;
  return runOnCluster(
    { ...options, config, skipPhases: [], verifyContent: false, ignoreChecks: [] },
    {
      name: 'restore-host',
      phases: (limiter) => [connect(limiter), gatherFacts, checkRestorable(resetCommand), restoreHosts, returnPackages],
      next: (status) => (status === 'ok' && dryRun ? [`installer restore-host -c ${configFile}`] : []),
    },
    emitter,
    signal,
  );
}

function onlyHosts(config: ClusterConfig, names: readonly string[]): ClusterConfig {
  if (names.length === 0) return config;
  const known = config.spec.hosts.map(({ name }) => name);
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0)
    throw new InstallerError({
      code: 'UNKNOWN_HOST',
      message: `the cluster file has no host ${unknown.join(', ')}`,
      remedy: `its hosts are ${known.join(', ')}`,
      exitCode: exitCodes.usage,
    });
  return { ...config, spec: { ...config.spec, hosts: config.spec.hosts.filter(({ name }) => names.includes(name)) } };
}
