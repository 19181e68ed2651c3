import { sleep } from '../lib/deadline.ts';
import { messageOf, type InstallerError } from '../errors.ts';
import { isOutcomeUnknown, type FailedAction, type Host } from '../hosts/host.ts';
import { unitGoneStatus, type Action } from '../ops/action.ts';
import { coalesceReloads } from '../ops/coalesce.ts';
import type { PhaseStatus } from '../report/events.ts';
import { actionFailed, interruptedWhileError, keepsChangingError, reportError, toInstallerError } from './failures.ts';
import { interruptedError, type Gates } from './gates.ts';
import type { HostPhase, RunContext } from './phase.ts';
import { blockedError, describeChange, notConvergedError, planSteps, queriesOf, type HostPlan } from './plan.ts';
import { pollUntil } from './poll.ts';
import { lockHolderName, tellLockWait } from './lock-wait.ts';
import type { Step } from './step.ts';

export interface LanePhase {
  readonly phase: HostPhase<never>;
  readonly steps: readonly Step[];
  /** Runs the phase's `before` once for all hosts. */
  readonly prepare: () => Promise<void>;
}

export interface LaneOutcome {
  readonly phase: string;
  readonly status: PhaseStatus;
  readonly changes: number;
  readonly durationMs: number;
  readonly error?: InstallerError | undefined;
}

export interface LaneInput {
  readonly host: Host;
  readonly phases: readonly LanePhase[];
  readonly context: RunContext;
  readonly gates: Gates;
  /** Called as the host leaves each phase. */
  readonly done: (outcome: LaneOutcome) => void;
  /** Called as the host enters a phase. */
  readonly entered: (phase: string) => void;
}

/** How often an apply is tried where somebody else changes the host each time, and where the connection is lost each time. */
const maxAttempts = 3;

/** What tries of a phase came to. The script of a lost connection goes on to its end, which is one more change by somebody else. */
interface Tries {
  stale: number;
  lost: number;
}

function mayBeStale(tries: Tries): boolean {
  tries.stale += 1;
  return tries.stale < maxAttempts + tries.lost;
}

function mayBeLost(tries: Tries): boolean {
  tries.lost += 1;
  return tries.lost < maxAttempts;
}

/** Takes one host through its phases. Never rejects: a failure ends the lane and is reported through `done`. */
export async function runLane(input: LaneInput): Promise<void> {
  const { host, phases } = input;
  for (const [index, lanePhase] of phases.entries()) {
    const startedAt = performance.now();
    const { id } = lanePhase.phase;
    input.entered(id);
    try {
      // All that is still to come is asked in one trip; where it is known already this costs none.
      const ahead = phases.slice(index).flatMap(({ steps }) => queriesOf(steps));
      const changes = await convergePhase(input, lanePhase, ahead);
      const status = changes === 0 ? 'ok' : input.context.dryRun ? 'planned' : 'changed';
      input.done({ phase: id, status, changes, durationMs: performance.now() - startedAt });
    } catch (error) {
      const failure = toInstallerError(error, host.name);
      const status =
        failure.code === 'INTERRUPTED' ? 'interrupted' : failure.code === 'PHASE_NOT_REACHED' ? 'skipped' : 'failed';
      input.done({ phase: id, status, changes: 0, durationMs: performance.now() - startedAt, error: failure });
      return;
    }
  }
}

type Queries = ReturnType<typeof queriesOf>;

/** Returns the number of changes applied (planned, on a dry run). */
async function convergePhase(input: LaneInput, lanePhase: LanePhase, ahead: Queries): Promise<number> {
  const { host, context } = input;
  const waited = await Promise.all((lanePhase.phase.after ?? []).map((id) => input.gates.wait(id, context.signal)));
  if (lanePhase.phase.looksAgain === true && waited.includes(true) && !context.dryRun) host.forget();
  // Of a script whose end is not known, what is no longer wanted was done by it.
  let tried = 0;
  let isDeferred = false;
  const tries: Tries = { stale: 0, lost: 0 };
  for (let attempt = 1; ; attempt += 1) {
    const plan = await planHost(input, lanePhase, ahead);
    if (attempt === 1 || isDeferred) emitPlan(input, lanePhase, plan);
    if (context.dryRun) return plan.changes.length;
    if (plan.changes.length === 0) {
      if (plan.deferred.length === 0) return tried;
      if (attempt > 1) throw notConvergedError(host, plan);
      // What is needed may have come after the look: made by another run, which this one only waited for.
      isDeferred = true;
      host.forget();
      continue;
    }
    isDeferred = false;
    await letOthersFirst(input, lanePhase.phase);
    await lanePhase.prepare();
    if (context.signal.aborted) throw interruptedError();
    const outcome = await applyPlan(input, lanePhase, plan, ahead, tries);
    if (outcome === 'applied') return Math.max(tried, plan.changes.length);
    if (outcome === 'unknown') tried = Math.max(tried, plan.changes.length);
  }
}

async function letOthersFirst({ phases, gates, context }: LaneInput, { letsFirst }: HostPhase<never>): Promise<void> {
  if (letsFirst === undefined || phases.some(({ phase }) => phase.id === letsFirst.phase)) return;
  const waited = new AbortController();
  const signal = AbortSignal.any([context.signal, waited.signal]);
  // Where it failed there, or was interrupted, this host goes on all the same, to its own end.
  const over = gates.wait(letsFirst.phase, context.signal).catch(() => undefined);
  await Promise.race([over, sleep(letsFirst.maxMs, signal).catch(() => undefined)]);
  waited.abort();
}

/** Plans from what is known; a blocked plan is asked again until its deadline. */
async function planHost(input: LaneInput, lanePhase: LanePhase, ahead: Queries): Promise<HostPlan> {
  const { host, context } = input;
  const look = async (queries: Queries): Promise<HostPlan> =>
    planSteps(lanePhase.steps, await host.observe(queries, { signal: context.signal }));
  const plan = await look(ahead);
  const [first] = plan.blocked;
  if (first === undefined) return plan;
  const waitSeconds = Math.max(...plan.blocked.map((item) => item.plan.waitSeconds));
  if (context.dryRun) emitPlan(input, lanePhase, plan);
  if (waitSeconds === 0 || context.dryRun) throw blockedError(host, first);
  let last = plan;
  await pollUntil({
    id: `${lanePhase.phase.id}/${first.step.id}`,
    description: `${host.name}: ${first.plan.reason}`,
    timeoutMs: waitSeconds * 1000,
    intervalMs: 2000,
    context,
    async attempt() {
      host.forget();
      // Only what this phase needs: where an API server hangs, each question to it costs its own time limit.
      last = await look(queriesOf(lanePhase.steps));
      return last.blocked[0]?.plan.reason;
    },
    failure: () => blockedError(host, last.blocked[0] ?? first),
  });
  return last;
}

/** 'applied' where the changes hold; else the host has to be planned anew, and 'stale' means that nothing was done. */
async function applyPlan(
  input: LaneInput,
  lanePhase: LanePhase,
  plan: HostPlan,
  ahead: Queries,
  tries: Tries,
): Promise<'applied' | 'stale' | 'unknown'> {
  const { host, context } = input;
  const { phase } = lanePhase;
  const actions = coalesceReloads(plan.changes.flatMap(({ change }) => change.actions));
  const grace = startGrace(context.signal);
  const lockWatch = tellLockWait(context, host.name);
  try {
    const result = await host.apply({
      actions,
      secrets: context.secrets,
      look: ahead,
      holder: lockHolderName(context, phase.id),
      lockTimeoutSeconds: phase.timeoutSeconds,
      lockWatch,
      timeoutMs: phase.timeoutSeconds * 2000,
      signal: grace.signal,
    });
    if (result.status === 'failed' && isUnitGone(actions, result.failed) && mayBeStale(tries)) {
      // The script of a run that was cut off waited for it too, and took its result away.
      host.forget();
      return 'unknown';
    }
    if (result.status === 'failed') {
      const { step, error } = actionFailed(host, phase.id, plan, actions, result.failed);
      context.emitter.emit({ type: 'step.failed', phase: phase.id, host: host.name, step, error: reportError(error) });
      throw error;
    }
    if (result.status === 'stale') {
      if (!mayBeStale(tries)) throw keepsChangingError(host);
      host.forget();
      return 'stale';
    }
    for (const message of result.notes ?? [])
      context.emitter.emit({ type: 'log', level: 'warning', host: host.name, message });
    emitApplied(input, phase.id, plan, new Map(actions.map((action, index) => [action, result.actionMs[index] ?? 0])));
  } catch (error) {
    if (grace.signal.aborted) throw interruptedWhileError(host, phase.id, plan);
    if (!isOutcomeUnknown(error) || !mayBeLost(tries)) throw error;
    context.emitter.emit({
      type: 'log',
      level: 'warning',
      host: host.name,
      message: `${messageOf(error)}; looking again before anything is repeated`,
    });
    host.forget();
    return 'unknown';
  } finally {
    grace.end();
    lockWatch.end();
  }
  const after = planSteps(lanePhase.steps, await host.observe(ahead));
  if (after.changes.length + after.deferred.length + after.blocked.length > 0) throw notConvergedError(host, after);
  return 'applied';
}

/** True where it is not known how a unit ended: the host tells what it did. */
function isUnitGone(actions: readonly Action[], failed: FailedAction): boolean {
  return failed.exitCode === unitGoneStatus && actions[failed.index]?.kind === 'long';
}

/** Tells each change with the time of its own actions. */
function emitApplied(input: LaneInput, phase: string, plan: HostPlan, actionMs: ReadonlyMap<Action, number>): void {
  for (const { step, change } of plan.changes) {
    const durationMs = change.actions.reduce((sum, action) => sum + (actionMs.get(action) ?? 0), 0);
    input.context.emitter.emit({
      type: 'step.applied',
      phase,
      host: input.host.name,
      step: step.id,
      summary: change.summary,
      durationMs,
    });
  }
}

/** After an interrupt a script that is soon done may end; then the connection is closed and the host is left as it is. */
const graceMs = 5000;

function startGrace(signal: AbortSignal): { readonly signal: AbortSignal; end(): void } {
  const controller = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const begin = (): void => {
    timer = setTimeout(() => controller.abort(), graceMs);
  };
  if (signal.aborted) begin();
  else signal.addEventListener('abort', begin, { once: true });
  return {
    signal: controller.signal,
    end() {
      clearTimeout(timer);
      signal.removeEventListener('abort', begin);
    },
  };
}

function emitPlan(input: LaneInput, lanePhase: LanePhase, plan: HostPlan): void {
  const { emitter } = input.context;
  const base = { type: 'step.planned', phase: lanePhase.phase.id, host: input.host.name } as const;
  for (const { step, plan: stepPlan } of plan.steps) {
    if (stepPlan.kind === 'changes' && stepPlan.changes.length > 0) {
      emitter.emit({ ...base, step: step.id, changes: stepPlan.changes.map(describeChange) });
    }
    if (stepPlan.kind === 'deferred') {
      emitter.emit({ ...base, step: step.id, changes: [{ summary: stepPlan.summary }], deferredUntil: stepPlan.needs });
    }
  }
}
