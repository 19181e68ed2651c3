import { InstallerError } from '../errors.ts';
import type { Host } from '../hosts/host.ts';
import type { Answers, Query } from '../ops/query.ts';
import type { PlannedChange } from '../report/events.ts';
import { renderDiff } from '../lib/diff.ts';
import type { Change, Step, StepPlan } from './step.ts';

/** What a phase would do to one host. */
export interface HostPlan {
  readonly steps: readonly { readonly step: Step; readonly plan: StepPlan }[];
  readonly changes: readonly { readonly step: Step; readonly change: Change }[];
  readonly deferred: readonly { readonly step: Step; readonly needs: string; readonly summary: string }[];
  readonly blocked: readonly { readonly step: Step; readonly plan: Extract<StepPlan, { kind: 'blocked' }> }[];
}

export function planSteps(steps: readonly Step[], seen: Answers): HostPlan {
  const planned = steps.map((step) => ({ step, plan: step.plan(seen) }));
  return {
    steps: planned,
    changes: planned.flatMap(({ step, plan }) =>
      plan.kind === 'changes' ? plan.changes.map((change) => ({ step, change })) : [],
    ),
    deferred: planned.flatMap(({ step, plan }) =>
      plan.kind === 'deferred' ? [{ step, needs: plan.needs, summary: plan.summary }] : [],
    ),
    blocked: planned.flatMap(({ step, plan }) => (plan.kind === 'blocked' ? [{ step, plan }] : [])),
  };
}

export function queriesOf(steps: readonly Step[]): Query[] {
  return steps.flatMap((step) => step.observe);
}

export function describeChange(change: Change): PlannedChange {
  const texts = change.after !== undefined || change.before !== undefined;
  const diff = change.diff ?? (texts ? renderDiff(change.before, change.after) : undefined);
  return {
    summary: change.summary,
    ...(diff === undefined ? {} : { diff }),
    ...(change.disruptive === true ? { disruptive: true } : {}),
  };
}

export function blockedError(host: Host, blocked: HostPlan['blocked'][number]): InstallerError {
  const { plan, step } = blocked;
  return new InstallerError({
    code: plan.code,
    host: host.name,
    message: `${step.id}: ${plan.reason}`,
    remedy: plan.remedy,
  });
}

/** A step that still has changes after they were applied did not converge: the plan and the host disagree. */
export function notConvergedError(host: Host, plan: HostPlan): InstallerError {
  const left = [
    ...plan.changes.map(({ step, change }) => `${step.id}: ${change.summary}`),
    ...plan.deferred.map(({ step, needs }) => `${step.id}: still needs ${needs}`),
    ...plan.blocked.map(({ step, plan: { reason } }) => `${step.id}: ${reason}`),
  ];
  return new InstallerError({
    code: 'NOT_CONVERGED',
    host: host.name,
    message: `after the changes were applied the host still differs: ${left.join('; ')}`,
    remedy:
      'something else on the host undoes the change (configuration management, a policy); stop it, then run again',
    details: plan.changes.flatMap(({ change }) => describeChange(change).diff?.split('\n') ?? []).slice(0, 40),
  });
}
