import type { ExitCode } from '../errors.ts';
import type { Emitter } from '../report/emitter.ts';
import type { CheckSummary } from '../report/html-report.ts';
import type * as bundleWorkflows from '../workflows/bundle.ts';
import type { BundleUse } from '../workflows/use-bundle.ts';

export interface RunOutcome {
  readonly exitCode: ExitCode;
}

interface RunOptions {
  /** The cluster file, as given on the command line. */
  readonly configFile: string;
  readonly dryRun: boolean;
  /** Most hosts that are worked on at the same time. */
  readonly concurrency: number;
  readonly runId: string;
  /** --log-file; without it the run log is in the state folder. */
  readonly logFile?: string;
}

/** Of commands that can take everything for the hosts from a bundle. */
interface SuppliedOptions extends RunOptions {
  readonly bundle?: BundleUse;
}

export interface ClusterCreateOptions extends SuppliedOptions {
  readonly skipPhases: readonly string[];
  /** Compare the content of large files too, not their size and date alone. */
  readonly verifyContent: boolean;
  /** Checks whose findings are reported and do not stop the run. */
  readonly ignoreChecks: readonly string[];
}

export interface ResetOptions extends RunOptions {
  /** Name of the cluster, typed by the user to confirm. */
  readonly confirm: string;
}

export interface PrecheckOptions extends Omit<SuppliedOptions, 'dryRun'> {
  /** Checks whose findings are reported and do not count. */
  readonly ignoreChecks: readonly string[];
  /** Warnings count as errors. */
  readonly strict: boolean;
}

export interface DiffOptions extends Omit<SuppliedOptions, 'dryRun'> {
  readonly verifyContent: boolean;
  readonly ignoreChecks: readonly string[];
}

export interface PrepareOptions extends SuppliedOptions {
  /** Checks whose findings are reported and do not stop the run. */
  readonly ignoreChecks: readonly string[];
}

export interface RestoreHostOptions extends RunOptions {
  /** Names of hosts in the cluster file; empty for all of them. */
  readonly hosts: readonly string[];
}

export type BundleWorkflows = typeof bundleWorkflows;

type Run<Options> = (options: Options, emitter: Emitter, signal: AbortSignal) => Promise<RunOutcome>;

/**
 * What the commands call. Each function loads its modules when it is called, so that `--version` and `--help` read
 * neither the SSH client nor the schema.
 */
export interface Workflows {
  readonly clusterCreate: Run<ClusterCreateOptions>;
  readonly reset: Run<ResetOptions>;
  readonly precheck: Run<PrecheckOptions>;
  readonly diff: Run<DiffOptions>;
  readonly prepare: Run<PrepareOptions>;
  readonly restoreHost: Run<RestoreHostOptions>;
  readonly listChecks: () => Promise<readonly CheckSummary[]>;
  /** What the bundle commands call. */
  readonly bundle: () => Promise<BundleWorkflows>;
  /** Parses and checks a cluster file; returns the name of the cluster. Throws InstallerError(s). */
  readonly validateConfig: (configFile: string) => Promise<string>;
}

/** Everything a command touches outside itself; tests give their own. */
export interface CliContext {
  readonly workflows: Workflows;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
  /** Of the terminal that stdout is; absent where it is none. */
  readonly columns?: number | undefined;
  readonly stderrStream: NodeJS.WriteStream & { readonly fd: number };
  readonly now: () => number;
  readonly signal: AbortSignal;
  /** Told the hosts that are being worked on, for the message of a run that is cut off. */
  readonly setBusyHosts: (hosts: () => readonly string[]) => void;
  /** Told the end of a command. */
  readonly finish: (exitCode: ExitCode) => void;
}

/** The composition root: the real workflows, each behind an import of its own. */
export const workflows: Workflows = {
  async clusterCreate(options, emitter, signal) {
    const { runClusterCreate } = await import('../workflows/cluster-create.ts');
    return runClusterCreate(options, emitter, signal);
  },
  async reset(options, emitter, signal) {
    const { runReset } = await import('../workflows/reset.ts');
    return runReset(options, emitter, signal);
  },
  async precheck(options, emitter, signal) {
    const { runPrecheck } = await import('../workflows/precheck.ts');
    return runPrecheck(options, emitter, signal);
  },
  async diff(options, emitter, signal) {
    const { runDiff } = await import('../workflows/diff.ts');
    return runDiff(options, emitter, signal);
  },
  async prepare(options, emitter, signal) {
    const { runPrepare } = await import('../workflows/prepare.ts');
    return runPrepare(options, emitter, signal);
  },
  async restoreHost(options, emitter, signal) {
    const { runRestoreHost } = await import('../workflows/restore-host.ts');
    return runRestoreHost(options, emitter, signal);
  },
  async listChecks() {
    const { checks } = await import('../checks/index.ts');
    const { expectedOf } = await import('../checks/check.ts');
    const { sourceName } = await import('../hosts/evidence.ts');
    return checks.map((check) => {
      const { id, scope, severity, title, remedy, source, reads } = check;
      return { id, scope, severity, title, expected: expectedOf(check), remedy, source, reads: reads.map(sourceName) };
    });
  },
  bundle: () => import('../workflows/bundle.ts'),
  async validateConfig(configFile) {
    const { loadClusterConfig } = await import('../spec/load.ts');
    const config = await loadClusterConfig(configFile);
    return config.metadata.name;
  },
};
