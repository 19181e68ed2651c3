import type { ClusterPhase, HostPhase, Phase } from '../../src/engine/phase.ts';
import { runWorkflow, type RunResult } from '../../src/engine/runner.ts';
import { changes, noChanges, type Step, type StepPlan } from '../../src/engine/step.ts';
import { fileQuery, type Answers } from '../../src/ops/query.ts';
import { createFakeHost, type FakeHost } from './fake-host.ts';
import { createTestContext, type TestContext } from './run-context.ts';

/** The state of these workflows is the list of hosts. */
export type State = readonly FakeHost[];

/** Fake hosts without anything on them. */
export function hosts(...names: readonly string[]): FakeHost[] {
  return names.map((name) => createFakeHost(name));
}

/** Makes a file be there. */
export function fileStep(path: string, content = 'x'): Step {
  const query = fileQuery(path);
  return {
    id: `file-${path}`,
    observe: [query],
    plan(seen) {
      const answer = seen(query);
      if (answer.state === 'present' && answer.value.content === content) return noChanges;
      const before = answer.state === 'present' ? answer.value.content : undefined;
      const write = { kind: 'write-file', path, content, mode: '644' } as const;
      return changes({ summary: `write ${path}`, before, after: content, actions: [write] });
    },
  };
}

/** A step made of its parts. */
export function plainStep(id: string, plan: (seen: Answers) => StepPlan, observe: Step['observe'] = []): Step {
  return { id, observe, plan };
}

/** A phase that makes a file of its own name be there. */
export function hostPhase(id: string, more: Partial<HostPhase<State>> = {}): HostPhase<State> {
  return {
    scope: 'host',
    id,
    title: id,
    timeoutSeconds: 5,
    hosts: (state) => state,
    steps: () => [fileStep(`/${id}`)],
    ...more,
  };
}

/** A phase that calls a function. */
export function clusterPhase(
  id: string,
  run: (...given: Parameters<ClusterPhase<State>['run']>) => ReturnType<ClusterPhase<State>['run']>,
  runsOnDryRun = false,
): ClusterPhase<State> {
  return { scope: 'cluster', id, title: id, runsOnDryRun, run };
}

/** Runs the phases on the hosts. */
export function run(
  phases: readonly Phase<State>[],
  state: State,
  context: TestContext = createTestContext(),
  skipPhases: readonly string[] = [],
): Promise<RunResult> {
  return runWorkflow({
    workflow: { name: 'test', phases },
    state,
    context,
    version: '1.2.3',
    clusterName: 'prod',
    hostNames: state.map(({ name }) => name),
    skipPhases,
    trips: () => Object.fromEntries(state.map(({ name, trips }) => [name, trips])),
    next: (status) => [`next after ${status}`],
  });
}

/** Status of each phase that is over. */
export function statusesOf(context: TestContext): Record<string, string> {
  return Object.fromEntries(context.of('phase.finished').map(({ phase, status }) => [phase, status]));
}

/** A promise that the test opens. */
export function gate(): { readonly opened: Promise<void>; readonly open: () => void } {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  return { opened: promise.then(() => undefined), open: () => resolve(undefined) };
}
