import { programVersion } from '../assets.ts';
import { reportError } from '../engine/failures.ts';
import { exitCodes, InstallerError, InstallerErrors, type ExitCode } from '../errors.ts';
import type { Emitter } from '../report/emitter.ts';
import { eventVersion, type PhaseStatus } from '../report/events.ts';

/** One part of a command that works on a bundle, as the reader sees it. */
export interface BundlePhase {
  readonly id: string;
  readonly title: string;
}

export interface BundleRun {
  readonly runId: string;
  readonly emitter: Emitter;
  readonly signal: AbortSignal;
  readonly logFile?: string | undefined;
}

/** Told by the work where it is. */
export interface BundleProgress {
  /** Ends the phase before, with its number of changes. */
  enter(phase: string, changesBefore?: number): void;
  /** Bytes so far; told at most twice a second. */
  transfer(item: string, doneBytes: number, totalBytes: number): void;
  note(message: string): void;
}

const transferEveryMs = 500;

/** Runs the work of a command as one run of the event stream: expected failures end in its report and its exit code. */
export async function runBundleTask(
  run: BundleRun,
  workflow: string,
  subject: string,
  phases: readonly BundlePhase[],
  work: (progress: BundleProgress) => Promise<{ readonly changes: number; readonly next?: readonly string[] }>,
): Promise<{ readonly exitCode: ExitCode }> {
  const { emitter, runId, signal } = run;
  const startMs = Date.now();
  const ended: { id: string; status: PhaseStatus; durationMs: number; changes: number }[] = [];
  let current: { id: string; sinceMs: number } | undefined;
  let toldMs = 0;
  let toldBytes = -1;
  const leave = (status: PhaseStatus, changes: number): void => {
    if (current === undefined) return;
    const phase = { status, durationMs: Date.now() - current.sinceMs, changes };
    ended.push({ id: current.id, ...phase });
    emitter.emit({ type: 'phase.finished', phase: current.id, ...phase });
    current = undefined;
  };
  const progress: BundleProgress = {
    enter(id, changesBefore = 0) {
      leave(changesBefore > 0 ? 'changed' : 'ok', changesBefore);
      current = { id, sinceMs: Date.now() };
      emitter.emit({ type: 'phase.started', phase: id, hosts: [] });
    },
    transfer(item, doneBytes, totalBytes) {
      const now = Date.now();
      if (doneBytes === toldBytes || (doneBytes < totalBytes && now - toldMs < transferEveryMs)) return;
      toldMs = now;
      toldBytes = doneBytes;
      emitter.emit({ type: 'transfer.progress', item, doneBytes, totalBytes });
    },
    note: (message) => emitter.emit({ type: 'log', level: 'info', message }),
  };
  emitter.emit({
    type: 'run.started',
    eventVersion,
    version: programVersion,
    runId,
    workflow,
    cluster: subject,
    dryRun: false,
    phases,
    hosts: [],
    ...(run.logFile === undefined ? {} : { logFile: run.logFile }),
  });
  const finish = (
    status: 'ok' | 'failed' | 'interrupted',
    changes: number,
    errors: readonly InstallerError[],
    next: readonly string[],
  ): void =>
    emitter.emit({
      type: 'run.finished',
      status,
      durationMs: Date.now() - startMs,
      changes,
      errors: errors.map(reportError),
      phases: ended,
      trips: {},
      next,
    });
  try {
    const { changes, next = [] } = await work(progress);
    leave(changes > 0 ? 'changed' : 'ok', changes);
    finish('ok', changes, [], next);
    return { exitCode: exitCodes.ok };
  } catch (error) {
    const cause: unknown = signal.aborted ? signal.reason : error;
    const errors = expected(cause);
    leave(signal.aborted ? 'interrupted' : 'failed', 0);
    finish(signal.aborted ? 'interrupted' : 'failed', 0, errors, []);
    const [first] = errors;
    if (first === undefined) throw error;
    return { exitCode: first.exitCode };
  }
}

function expected(error: unknown): readonly InstallerError[] {
  if (error instanceof InstallerErrors) return error.errors;
  return error instanceof InstallerError ? [error] : [];
}
