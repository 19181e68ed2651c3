import { InstallerError, InternalError, type ExitCode, exitCodes } from '../errors.ts';
import type { Host } from '../hosts/host.ts';
import { eventVersion, type RunStatus } from '../report/events.ts';
import { createGates } from './gates.ts';
import { reportError, toInstallerError } from './failures.ts';
import { runLane, type LanePhase } from './lane.ts';
import type { ClusterPhase, HostPhase, Phase, RunContext, Workflow } from './phase.ts';
import { createTracker, type PhaseRecord } from './tracker.ts';

export interface RunInput<S> {
  readonly workflow: Workflow<S>;
  readonly state: S;
  readonly context: RunContext;
  readonly version: string;
  readonly clusterName: string;
  readonly hostNames: readonly string[];
  readonly skipPhases: readonly string[];
  readonly logFile?: string | undefined;
  /** Round trips by host, asked at the end. */
  readonly trips: () => Readonly<Record<string, number>>;
  /** Lines for the reader at the end. */
  readonly next: (status: RunStatus, state: S) => readonly string[];
}

export interface RunResult {
  readonly status: RunStatus;
  readonly changes: number;
  readonly errors: readonly InstallerError[];
  readonly exitCode: ExitCode;
}

/** Runs the phases of a workflow in their order; neighbouring host phases run as lanes. Never rejects for an expected failure. */
export async function runWorkflow<S>(input: RunInput<S>): Promise<RunResult> {
  const { workflow, context } = input;
  const startedAt = performance.now();
  const records: PhaseRecord[] = [];
  const errors: InstallerError[] = [];
  refuseSkips(workflow, input.skipPhases);
  context.emitter.emit({
    type: 'run.started',
    eventVersion,
    version: input.version,
    runId: context.runId,
    workflow: workflow.name,
    cluster: input.clusterName,
    dryRun: context.dryRun,
    phases: workflow.phases.map(({ id, title }) => ({ id, title })),
    hosts: input.hostNames,
    logFile: input.logFile,
  });
  let isCutShort = false;
  for (const group of groupPhases(workflow.phases)) {
    const wanted = group.filter(({ id }) => !input.skipPhases.includes(id));
    const stopped = errors.length > 0 || context.signal.aborted;
    isCutShort ||= stopped;
    for (const phase of group) {
      if (stopped) skip(input, records, phase.id, 'not reached');
      else if (!wanted.includes(phase)) skip(input, records, phase.id, 'skipped by option');
    }
    if (stopped || wanted.length === 0) continue;
    const [first] = wanted;
    if (first?.scope === 'cluster') errors.push(...(await runClusterPhase(input, first, records)));
    else errors.push(...(await runHostPhases(input, wanted as HostPhase<S>[], records)));
  }
  return finish(input, records, errors, isCutShort, performance.now() - startedAt);
}

function refuseSkips<S>(workflow: Workflow<S>, skip: readonly string[]): void {
  const unknown = skip.filter((id) => !workflow.phases.some((phase) => phase.id === id));
  const required = workflow.phases.filter(
    (phase) => phase.scope === 'cluster' && phase.required === true && skip.includes(phase.id),
  );
  if (required.length > 0) {
    throw new InstallerError({
      code: 'PHASE_REQUIRED',
      message: `${required.map(({ id }) => id).join(', ')} cannot be skipped: what follows stands on it`,
      remedy: 'leave it in; a check that you know better than is left out with --ignore-check ID',
      exitCode: exitCodes.usage,
    });
  }
  if (unknown.length === 0) return;
  throw new InstallerError({
    code: 'UNKNOWN_PHASE',
    message: `${workflow.name} has no phase ${unknown.join(', ')}`,
    remedy: `its phases are ${workflow.phases.map(({ id }) => id).join(', ')}`,
    exitCode: exitCodes.usage,
  });
}

/** Neighbouring host phases form one group; a cluster phase is a group of its own. */
export function groupPhases<S>(phases: readonly Phase<S>[]): Phase<S>[][] {
  const groups: Phase<S>[][] = [];
  for (const phase of phases) {
    const last = groups.at(-1);
    if (phase.scope === 'host' && last?.[0]?.scope === 'host') last.push(phase);
    else groups.push([phase]);
  }
  return groups;
}

function skip<S>(input: RunInput<S>, records: PhaseRecord[], id: string, reason: string): void {
  records.push({ id, status: 'skipped', durationMs: 0, changes: 0 });
  input.context.emitter.emit({
    type: 'phase.finished',
    phase: id,
    status: 'skipped',
    durationMs: 0,
    changes: 0,
    reason,
  });
}

async function runClusterPhase<S>(
  input: RunInput<S>,
  phase: ClusterPhase<S>,
  records: PhaseRecord[],
): Promise<InstallerError[]> {
  const { context, state } = input;
  if (context.dryRun && !phase.runsOnDryRun) {
    skip(input, records, phase.id, 'not on a dry run');
    return [];
  }
  const startedAt = performance.now();
  context.emitter.emit({ type: 'phase.started', phase: phase.id, hosts: [] });
  const record: PhaseRecord = { id: phase.id, status: 'ok', durationMs: 0, changes: 0 };
  records.push(record);
  const errors: InstallerError[] = [];
  try {
    const changed = records.reduce((sum, { changes }) => sum + changes, 0);
    const done = await phase.run(state, context, { changed });
    record.changes = done.length;
    if (phase.failed?.(state) === true) record.status = 'failed';
    else if (done.length > 0) record.status = context.dryRun ? 'planned' : 'changed';
  } catch (error) {
    errors.push(...flatten(error));
    record.status = errors.every(({ code }) => code === 'INTERRUPTED') ? 'interrupted' : 'failed';
  }
  record.durationMs = performance.now() - startedAt;
  context.emitter.emit({
    type: 'phase.finished',
    phase: phase.id,
    status: record.status,
    durationMs: record.durationMs,
    changes: record.changes,
  });
  return errors;
}

function flatten(error: unknown): InstallerError[] {
  if (error instanceof AggregateError) return error.errors.flatMap(flatten);
  if (error instanceof InstallerError) return [error];
  return [toInstallerError(error, '')];
}

async function runHostPhases<S>(
  input: RunInput<S>,
  phases: readonly HostPhase<S>[],
  records: PhaseRecord[],
): Promise<InstallerError[]> {
  const { context, state } = input;
  const gates = createGates(phases.map(({ id }) => id));
  const trackers = new Map(phases.map((phase) => [phase.id, createTracker(phase, state, context.emitter, gates)]));
  records.push(...[...trackers.values()].map(({ record }) => record));
  const lanePhases = new Map(
    phases.map((phase) => {
      let prepared: Promise<void> | undefined;
      const prepare = (): Promise<void> => (prepared ??= phase.before?.(state, context) ?? Promise.resolve());
      return [phase.id, prepare];
    }),
  );
  const hosts = uniqueHosts(phases.flatMap((phase) => phase.hosts(state)));
  const errors: InstallerError[] = [];
  for (const tracker of trackers.values()) tracker.openIfEmpty();
  await Promise.all(
    hosts.map(async (host) => {
      const mine: LanePhase[] = phases
        .filter((phase) => phase.hosts(state).includes(host))
        .map((phase) => ({
          phase,
          steps: phase.steps(host, state),
          prepare: lanePhases.get(phase.id) ?? missingPrepare,
        }));
      await runLane({
        host,
        phases: mine,
        context,
        gates,
        entered: (id) => trackers.get(id)?.enter(host.name),
        done: (outcome) => {
          trackers.get(outcome.phase)?.leave(host.name, outcome);
          if (outcome.error === undefined) return;
          if (!errors.includes(outcome.error)) errors.push(outcome.error);
          const rest = mine.slice(mine.findIndex(({ phase }) => phase.id === outcome.phase) + 1);
          for (const { phase } of rest)
            trackers.get(phase.id)?.leave(host.name, { phase: phase.id, status: 'skipped', changes: 0, durationMs: 0 });
        },
      });
    }),
  );
  return sortErrors(errors);
}

function missingPrepare(): Promise<void> {
  return Promise.reject(new InternalError('a phase without prepare'));
}

function uniqueHosts(hosts: readonly Host[]): Host[] {
  return [...new Set(hosts)];
}

/** Causes first: what was merely not reached says little. */
function sortErrors(errors: readonly InstallerError[]): InstallerError[] {
  const rank = ({ code }: InstallerError): number =>
    code === 'PHASE_NOT_REACHED' ? 1 : code === 'INTERRUPTED' ? 2 : 0;
  return errors.toSorted((a, b) => rank(a) - rank(b));
}

function finish<S>(
  input: RunInput<S>,
  records: readonly PhaseRecord[],
  errors: readonly InstallerError[],
  isCutShort: boolean,
  durationMs: number,
): RunResult {
  const { context } = input;
  const changes = records.reduce((sum, record) => sum + record.changes, 0);
  // An interrupt that came when everything was done already changes nothing.
  const isInterrupted = context.signal.aborted && (isCutShort || errors.length > 0);
  const status: RunStatus = isInterrupted
    ? 'interrupted'
    : errors.length === 0
      ? 'ok'
      : changes > 0
        ? 'partly'
        : 'failed';
  context.emitter.emit({
    type: 'run.finished',
    status,
    durationMs,
    changes,
    errors: errors.map(reportError),
    phases: records,
    trips: input.trips(),
    next: input.next(status, input.state),
  });
  return { status, changes, errors, exitCode: exitCodeOf(status, errors) };
}

/** An interrupt's own exit code (130 or 143) is set by main, which knows the signal. */
export function exitCodeOf(status: RunStatus, errors: readonly InstallerError[]): ExitCode {
  if (status === 'ok') return exitCodes.ok;
  if (status === 'interrupted') return exitCodes.interrupted;
  const [first] = errors;
  if (first !== undefined && first.exitCode !== exitCodes.operationFailed) return first.exitCode;
  return status === 'partly' ? exitCodes.partlyDone : exitCodes.operationFailed;
}
