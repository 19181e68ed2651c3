import type { Change, Step, StepPlan } from '../../src/engine/step.ts';
import type { FakeHost } from './fake-host.ts';

/** What a step plans on a host as it is now. */
export async function planOn(host: FakeHost, step: Step): Promise<StepPlan> {
  host.forget();
  return step.plan(await host.observe(step.observe));
}

/** The changes that a step plans; another kind of plan fails the test. */
export async function changesOn(host: FakeHost, step: Step): Promise<readonly Change[]> {
  const plan = await planOn(host, step);
  if (plan.kind !== 'changes') throw new Error(`expected changes, got ${JSON.stringify(plan)}`);
  return plan.changes;
}

/** Plans and applies, as a run does, and returns the summaries. A second plan that wants more fails the test. */
export async function converge(
  host: FakeHost,
  step: Step,
  secrets: ReadonlyMap<string, string> = new Map(),
): Promise<string[]> {
  const planned = await changesOn(host, step);
  if (planned.length === 0) return [];
  const result = await host.apply({
    actions: planned.flatMap(({ actions }) => actions),
    secrets,
    look: [],
    holder: 'a test',
    lockTimeoutSeconds: 1,
    timeoutMs: 1000,
  });
  if (result.status !== 'applied') throw new Error(`not applied: ${JSON.stringify(result)}`);
  const left = await changesOn(host, step);
  if (left.length > 0) throw new Error(`not converged: ${left.map(({ summary }) => summary).join('; ')}`);
  return planned.map(({ summary }) => summary);
}
