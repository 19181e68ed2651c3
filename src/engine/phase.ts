import type { Emitter } from '../report/emitter.ts';
import type { PlannedChange } from '../report/events.ts';
import type { Host } from '../hosts/host.ts';
import type { Step } from './step.ts';

export interface RunContext {
  readonly runId: string;
  readonly emitter: Emitter;
  /** Aborted by SIGINT, SIGTERM or the caller. */
  readonly signal: AbortSignal;
  readonly concurrency: number;
  readonly dryRun: boolean;
  /** Values of placeholders; filled by `before` hooks. Every value is known to the emitter's redaction. */
  readonly secrets: Map<string, string>;
  setSecret(name: string, value: string): void;
}

/**
 * Work on hosts, each at its own pace. Host phases that follow each other form lanes: a host goes on to the next phase as
 * soon as it is done with this one, and waits only for the phases named in `after`.
 */
export interface HostPhase<S> {
  readonly scope: 'host';
  readonly id: string;
  readonly title: string;
  hosts(state: S): readonly Host[];
  /** Phases that must be done on all their hosts before this one applies anything. */
  readonly after?: readonly string[];
  /**
   * The hosts of a later phase go first: a host that is not one of them, and has something to apply here, waits until that
   * phase is over there, and at most so long. A head start where hosts share what is slow: a mirror, a line, a hypervisor.
   */
  readonly letsFirst?: { readonly phase: string; readonly maxMs: number };
  /** What it observes is changed by the phases of `after` on other hosts: where they changed anything, look again. */
  readonly looksAgain?: boolean;
  steps(host: Host, state: S): readonly Step[];
  /** Runs once, before the first host with changes applies them; makes what placeholders stand for. */
  before?(state: S, context: RunContext): Promise<void>;
  /** Longest time that one host's changes may take. */
  readonly timeoutSeconds: number;
}

/** Work on the whole cluster; all earlier phases are over before it starts. It reads, or changes the installer's own machine. */
export interface ClusterPhase<S> {
  readonly scope: 'cluster';
  readonly id: string;
  readonly title: string;
  /** Later phases stand on it: --skip-phase refuses it. */
  readonly required?: boolean;
  /** Also on a dry run: reads only. */
  readonly runsOnDryRun: boolean;
  /** True where something failed that a later phase will report with more; the run goes on to it. */
  failed?(state: S): boolean;
  /** Returns what was changed, as summaries. `changed` counts the changes that the run applied before. */
  run(state: S, context: RunContext, progress: { readonly changed: number }): Promise<readonly PlannedChange[]>;
}

export type Phase<S> = HostPhase<S> | ClusterPhase<S>;

/** A command: its phases in the order in which they run. */
export interface Workflow<S> {
  readonly name: string;
  readonly phases: readonly Phase<S>[];
}
