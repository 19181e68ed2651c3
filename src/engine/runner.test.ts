import { afterEach, describe, expect, it, vi } from 'vitest';
import { createFakeHost, type FakeHost } from '../../test/support/fake-host.ts';
import { createTestContext, type TestContext } from '../../test/support/run-context.ts';
import { InstallerError } from '../errors.ts';
import { fileQuery } from '../ops/query.ts';
import { secretPlaceholder } from '../ops/secrets.ts';
import type { ClusterPhase, HostPhase, Phase } from './phase.ts';
import { groupPhases, runWorkflow, type RunResult } from './runner.ts';
import { blocked, changes, deferred, noChanges, type Step, type StepPlan } from './step.ts';

/** The state of these workflows is the list of hosts. */
type State = readonly FakeHost[];

function hosts(...names: readonly string[]): FakeHost[] {
  return names.map((name) => createFakeHost(name));
}

/** Makes a file be there. `onPlan` is told of every plan. */
function fileStep(path: string, content = 'x', onPlan?: () => void): Step {
  const query = fileQuery(path);
  return {
    id: `file-${path}`,
    observe: [query],
    plan(seen) {
      onPlan?.();
      const answer = seen(query);
      if (answer.state === 'present' && answer.value.content === content) return noChanges;
      const before = answer.state === 'present' ? answer.value.content : undefined;
      const write = { kind: 'write-file', path, content, mode: '644' } as const;
      return changes({ summary: `write ${path}`, before, after: content, actions: [write] });
    },
  };
}

function plainStep(id: string, plan: Step['plan'], observe: Step['observe'] = []): Step {
  return { id, observe, plan };
}

function hostPhase(id: string, more: Partial<HostPhase<State>> = {}): HostPhase<State> {
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

function clusterPhase(id: string, run: ClusterPhase<State>['run'], runsOnDryRun = false): ClusterPhase<State> {
  return { scope: 'cluster', id, title: id, runsOnDryRun, run };
}

function run(
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

/** `host.started prepare n1` and so on. */
function linesOf(context: TestContext, ...types: readonly string[]): string[] {
  return context.events
    .filter(({ type }) => types.includes(type))
    .map((event) =>
      [event.type, 'phase' in event ? event.phase : '', 'host' in event ? event.host : ''].join(' ').trim(),
    );
}

function statusesOf(context: TestContext): Record<string, string> {
  return Object.fromEntries(context.of('phase.finished').map(({ phase, status }) => [phase, status]));
}

/** A promise that the test opens. */
function gate(): { readonly opened: Promise<void>; open(): void } {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  return { opened: promise.then(() => undefined), open: () => resolve(undefined) };
}

const lost = new InstallerError({ code: 'SSH_CONNECTION_LOST', message: 'the connection was lost' });

afterEach(() => {
  vi.useRealTimers();
});

describe('a run', () => {
  it('takes every host through the phases in their order, and a cluster phase after all of them', async () => {
    const state = hosts('n1', 'n2');
    const context = createTestContext();
    let sawChanged = 0;
    const count = clusterPhase('count', (_, __, { changed }) => {
      sawChanged = changed;
      return Promise.resolve([{ summary: 'counted' }]);
    });

    const result = await run([hostPhase('a'), hostPhase('b'), count, hostPhase('c')], state, context);

    expect(result).toEqual({ status: 'ok', changes: 7, errors: [], exitCode: 0 });
    expect(sawChanged).toBe(4);
    for (const host of state) expect(host.done).toEqual(['write /a (644)', 'write /b (644)', 'write /c (644)']);
    expect(context.of('phase.started').map(({ phase }) => phase)).toEqual(['a', 'b', 'count', 'c']);
    expect(statusesOf(context)).toEqual({ a: 'changed', b: 'changed', count: 'changed', c: 'changed' });
  });

  it('tells what it does as events', async () => {
    const state = hosts('n1');
    const context = createTestContext();

    await run([hostPhase('a')], state, context);

    expect(context.events.map(({ seq }) => seq)).toEqual(context.events.map((_, index) => index + 1));
    expect(context.events).toMatchObject([
      { type: 'run.started', workflow: 'test', cluster: 'prod', runId: '0a1b2c3d', dryRun: false, hosts: ['n1'] },
      { type: 'phase.started', phase: 'a', hosts: ['n1'] },
      { type: 'host.started', phase: 'a', host: 'n1' },
      { type: 'step.planned', phase: 'a', host: 'n1', step: 'file-/a', changes: [{ summary: 'write /a', diff: '+x' }] },
      { type: 'step.applied', phase: 'a', host: 'n1', step: 'file-/a', summary: 'write /a', durationMs: 10 },
      { type: 'host.finished', phase: 'a', host: 'n1', status: 'changed', changes: 1 },
      { type: 'phase.finished', phase: 'a', status: 'changed', changes: 1 },
      { type: 'run.finished', status: 'ok', changes: 1, errors: [], trips: { n1: 2 }, next: ['next after ok'] },
    ]);
  });

  it('applies nothing the second time, with one round trip for all phases', async () => {
    const state = hosts('n1', 'n2');
    const phases = [hostPhase('a'), hostPhase('b'), hostPhase('c', { after: ['a'] })];
    await run(phases, state);
    for (const host of state) host.forget();
    const before = state.map(({ trips, done }) => [trips, done.length]);
    const context = createTestContext();

    const result = await run(phases, state, context);

    expect(result).toMatchObject({ status: 'ok', changes: 0, exitCode: 0 });
    expect(state.map(({ trips, done }) => [trips, done.length])).toEqual(
      before.map(([trips = 0, done = 0]) => [trips + 1, done]),
    );
    expect(statusesOf(context)).toEqual({ a: 'ok', b: 'ok', c: 'ok' });
    expect(context.of('step.planned')).toEqual([]);
  });

  it('plans and applies nothing on a dry run, and skips what does more than read', async () => {
    const state = hosts('n1');
    const context = createTestContext({ dryRun: true });
    const ran: string[] = [];
    const phase = (id: string, reads: boolean): ClusterPhase<State> =>
      clusterPhase(id, () => (ran.push(id), Promise.resolve([])), reads);
    const before = vi.fn(() => Promise.resolve());
    const later = hostPhase('b', { after: ['a'], steps: () => [plainStep('later', () => deferred('a', 'do more'))] });

    const result = await run(
      [phase('reads', true), phase('writes', false), hostPhase('a', { before }), later],
      state,
      context,
    );

    expect(result).toMatchObject({ status: 'ok', changes: 1, exitCode: 0 });
    expect(ran).toEqual(['reads']);
    expect([state[0]?.done, state[0]?.trips]).toEqual([[], 1]);
    expect(before).not.toHaveBeenCalled();
    expect(statusesOf(context)).toEqual({ reads: 'ok', writes: 'skipped', a: 'planned', b: 'ok' });
    expect(context.of('step.planned')).toMatchObject([
      { phase: 'a', changes: [{ summary: 'write /a' }] },
      { phase: 'b', changes: [{ summary: 'do more' }], deferredUntil: 'a' },
    ]);
    expect(context.of('step.applied')).toEqual([]);
  });

  it('leaves out the phases it is told to, and waits for none of them', async () => {
    const state = hosts('n1');
    const context = createTestContext();

    const result = await run([hostPhase('a'), hostPhase('b', { after: ['a'] })], state, context, ['a']);

    expect(result.status).toBe('ok');
    expect(state[0]?.done).toEqual(['write /b (644)']);
    expect(context.of('phase.finished')[0]).toMatchObject({
      phase: 'a',
      status: 'skipped',
      reason: 'skipped by option',
    });
  });

  it('refuses to skip a phase that it does not have', async () => {
    const state = hosts('n1');
    const context = createTestContext();

    await expect(run([hostPhase('a')], state, context, ['b'])).rejects.toMatchObject({
      code: 'UNKNOWN_PHASE',
      exitCode: 2,
      remedy: 'its phases are a',
    });
    expect(context.events).toEqual([]);
  });

  it('finishes a phase that has no hosts, and what waits for it', async () => {
    const state = hosts('n1');
    const context = createTestContext();

    await run([hostPhase('none', { hosts: () => [] }), hostPhase('a', { after: ['none'] })], state, context);

    expect(statusesOf(context)).toEqual({ none: 'ok', a: 'changed' });
  });

  it('never shows a secret in an event', async () => {
    const state = hosts('n1');
    const context = createTestContext();
    const secret = 'abcdef.0123456789abcdef';
    const phase = hostPhase('a', {
      before: (_, { setSecret }) => (setSecret('token', secret), Promise.resolve()),
      steps: () => [
        {
          ...fileStep('/conf', `token: ${secretPlaceholder('token')}`),
          plan: (seen): StepPlan =>
            seen(fileQuery('/conf')).state === 'present'
              ? noChanges
              : changes({
                  summary: 'write /conf',
                  after: `token: ${secretPlaceholder('token')}`,
                  actions: [
                    { kind: 'write-file', path: '/conf', content: `token: ${secretPlaceholder('token')}`, mode: '600' },
                    { kind: 'run', argv: ['join'], timeoutSeconds: 1 },
                  ],
                }),
        },
      ],
    });
    state[0]?.on('join', { exitCode: 1, stderr: `refused: ${secret}` });

    const result = await run([phase], state, context);

    expect(state[0]?.text('/conf')).toBe(`token: ${secret}`);
    expect(result.status).toBe('failed');
    expect(JSON.stringify(context.events)).not.toContain(secret);
    expect(JSON.stringify(context.events)).toContain('refused: [redacted]');
    expect(JSON.stringify(context.of('step.planned'))).toContain('{{secret:token}}');
  });
});

describe('lanes', () => {
  it('let a fast host go on while a slow one is still in the first phase', async () => {
    const [slow, fast] = hosts('slow', 'fast') as [FakeHost, FakeHost];
    const { opened, open } = gate();
    slow.faults.push(async (_, perform) => {
      await opened;
      return perform();
    });
    const context = createTestContext();

    const running = run([hostPhase('a'), hostPhase('b')], [slow, fast], context);
    await vi.waitFor(() => expect(fast.done).toHaveLength(2));
    const doneBySlow = [...slow.done];
    open();
    await running;

    expect(doneBySlow).toEqual([]);
    expect(slow.done).toHaveLength(2);
    expect(linesOf(context, 'host.finished')).toEqual([
      'host.finished a fast',
      'host.finished b fast',
      'host.finished a slow',
      'host.finished b slow',
    ]);
  });

  it('hold a phase back until the phase that it names is done on all its hosts', async () => {
    const [cp, worker] = hosts('cp', 'worker') as [FakeHost, FakeHost];
    const { opened, open } = gate();
    cp.faults.push(async (_, perform) => {
      await opened;
      return perform();
    });
    const phases = [
      hostPhase('init', { hosts: () => [cp] }),
      hostPhase('join', { hosts: () => [worker], after: ['init'] }),
    ];

    const running = run(phases, [cp, worker]);
    await vi.waitFor(() => expect(cp.faults).toEqual([]));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(worker.done).toEqual([]);
    open();
    await running;

    expect(worker.done).toEqual(['write /join (644)']);
  });

  it.each([
    ['look again where the phase that they waited for changed something', true, false, 'seen: new'],
    ['trust what is known where it changed nothing', true, true, 'seen: old'],
    ['trust what is known where they need no second look', false, false, 'seen: old'],
  ])('%s', async (_name, looksAgain, isDone, expected) => {
    const [cp, worker] = hosts('cp', 'worker') as [FakeHost, FakeHost];
    cp.write('/nodes', 'old');
    const query = fileQuery('/nodes');
    let lastSeen = '';
    const look = plainStep(
      'look',
      (seen) => {
        const answer = seen(query);
        lastSeen = `seen: ${answer.state === 'present' ? (answer.value.content ?? '') : answer.state}`;
        return noChanges;
      },
      [query],
    );
    if (isDone) worker.write('/join', 'x');
    worker.faults.push((_, perform) => {
      cp.write('/nodes', 'new');
      return perform();
    });
    const phases = [
      hostPhase('prepare', { hosts: () => [cp], steps: () => [look] }),
      hostPhase('join', { hosts: () => [worker] }),
      hostPhase('label', { hosts: () => [cp], after: ['join'], looksAgain, steps: () => [look] }),
    ];

    await run(phases, [cp, worker]);

    expect(lastSeen).toBe(expected);
  });

  it('run what goes before a phase once, and only where some host has changes', async () => {
    const state = hosts('n1', 'n2', 'n3');
    state[0]?.write('/a', 'x');
    for (const host of state) host.write('/b', 'x');
    const beforeA = vi.fn(() => Promise.resolve());
    const beforeB = vi.fn(() => Promise.resolve());

    await run([hostPhase('a', { before: beforeA }), hostPhase('b', { before: beforeB })], state);

    expect(beforeA).toHaveBeenCalledOnce();
    expect(beforeB).not.toHaveBeenCalled();
  });

  it('apply nothing where what goes before failed', async () => {
    const state = hosts('n1');
    const error = new InstallerError({ code: 'JOIN_TOKEN_FAILED', message: 'no token', host: 'cp' });

    const result = await run([hostPhase('a', { before: () => Promise.reject(error) })], state);

    expect(result.errors).toMatchObject([{ code: 'JOIN_TOKEN_FAILED', host: 'cp' }]);
    expect(state[0]?.done).toEqual([]);
  });
});

describe('a host that fails', () => {
  const fails = plainStep('fails', () =>
    changes({ summary: 'do it', actions: [{ kind: 'run', argv: ['do-it'], timeoutSeconds: 1 }] }),
  );

  function failingOn(name: string): HostPhase<State> {
    return hostPhase('a', { steps: (host) => (host.name === name ? [fails] : [fileStep('/a')]) });
  }

  it('lets the others go on, and skips what waits for it', async () => {
    const state = hosts('bad', 'good');
    state[0]?.on('do-it', { exitCode: 3, stdout: 'out\n', stderr: 'broken\n' });
    const context = createTestContext();

    const result = await run(
      [
        failingOn('bad'),
        hostPhase('b'),
        hostPhase('c', { after: ['a'] }),
        hostPhase('d'),
        clusterPhase('verify', () => Promise.resolve([])),
      ],
      state,
      context,
    );

    expect(state[1]?.done).toEqual(['write /a (644)', 'write /b (644)']);
    expect(result).toMatchObject({ status: 'partly', exitCode: 5, changes: 2 });
    expect(result.errors).toMatchObject([
      {
        code: 'ACTION_FAILED',
        host: 'bad',
        message: 'a/fails: do it: do-it: exit status 3',
        details: ['out', 'broken'],
      },
      { code: 'PHASE_NOT_REACHED', host: 'good', message: 'not started, because a failed on bad' },
    ]);
    expect(statusesOf(context)).toEqual({ a: 'failed', b: 'skipped', c: 'skipped', d: 'skipped', verify: 'skipped' });
    expect(context.of('host.finished').find(({ host }) => host === 'bad')).toMatchObject({
      status: 'failed',
      error: { code: 'ACTION_FAILED' },
    });
    expect(context.of('phase.finished').at(-1)).toMatchObject({ phase: 'verify', reason: 'not reached' });
  });

  it('ends the run with 4 where nothing was changed', async () => {
    const state = hosts('bad');
    state[0]?.on('do-it', { exitCode: 1 });

    expect(await run([failingOn('bad')], state)).toMatchObject({ status: 'failed', exitCode: 4, changes: 0 });
  });

  it('is a defect of ours where a step throws', async () => {
    const state = hosts('n1');
    const phase = hostPhase('a', {
      steps: () => [
        plainStep('broken', () => {
          throw new TypeError('x is not a function');
        }),
      ],
    });

    expect(await run([phase], state)).toMatchObject({
      status: 'failed',
      exitCode: 1,
      errors: [{ code: 'INTERNAL', host: 'n1', message: 'a defect of the installer: x is not a function' }],
    });
  });

  it('has not converged where a step still wants changes after they were applied', async () => {
    const state = hosts('n1');
    state[0]?.faults.push((_, perform) => {
      const result = perform();
      state[0]?.write('/a', 'undone by a policy');
      return result;
    });
    state[0]?.faults.push((_, perform) => perform());
    const stubborn: Step = { ...fileStep('/a', 'x') };
    stubborn.plan = (seen) => fileStep('/a', 'x').plan(seen);
    const never = plainStep('never', () => changes({ summary: 'spin', after: 'text', actions: [] }));

    const result = await run([hostPhase('a', { steps: () => [stubborn, never] })], state);

    expect(result.errors).toMatchObject([
      {
        code: 'NOT_CONVERGED',
        message: expect.stringContaining('never: spin') as string,
        details: expect.arrayContaining(['+text']) as string[],
      },
    ]);
  });

  it('has not converged where it still needs what an earlier phase was to make', async () => {
    const state = hosts('n1');

    const result = await run(
      [hostPhase('a', { steps: () => [plainStep('later', () => deferred('init', 'x'))] })],
      state,
    );

    expect(result.errors).toMatchObject([
      { code: 'NOT_CONVERGED', message: expect.stringContaining('still needs init') as string },
    ]);
  });

  it('in a cluster phase ends the run, with every error that it names', async () => {
    const state = hosts('n1');
    const errors = ['X', 'Y'].map((code) => new InstallerError({ code, message: code, exitCode: 3 }));
    const context = createTestContext();

    const result = await run(
      [clusterPhase('check', () => Promise.reject(new AggregateError(errors))), hostPhase('a')],
      state,
      context,
    );

    expect(result).toMatchObject({ status: 'failed', exitCode: 3, errors: [{ code: 'X' }, { code: 'Y' }] });
    expect(statusesOf(context)).toEqual({ check: 'failed', a: 'skipped' });
    expect(state[0]?.trips).toBe(0);
  });
});

describe('a step that is blocked', () => {
  function blockedUntil(looks: number, waitSeconds: number): { readonly step: Step; readonly count: () => number } {
    let count = 0;
    const plan = (): StepPlan => {
      count += 1;
      return count > looks ? noChanges : blocked('API_NOT_ANSWERING', `look ${count}`, 'see the API', waitSeconds);
    };
    return { step: plainStep('api', plan, [fileQuery('/api')]), count: () => count };
  }

  it('fails at once where waiting would not help', async () => {
    const { step, count } = blockedUntil(9, 0);

    const result = await run([hostPhase('a', { steps: () => [step, fileStep('/a')] })], hosts('n1'));

    expect(result.errors).toMatchObject([
      { code: 'API_NOT_ANSWERING', message: 'api: look 1', remedy: 'see the API', host: 'n1' },
    ]);
    expect(count()).toBe(1);
  });

  it('is asked again until it is free, and the phase goes on', async () => {
    vi.useFakeTimers();
    const { step } = blockedUntil(3, 60);
    const state = hosts('n1');
    const context = createTestContext();

    const running = run([hostPhase('a', { steps: () => [step, fileStep('/a')] })], state, context);
    await vi.advanceTimersByTimeAsync(20_000);

    expect(await running).toMatchObject({ status: 'ok', changes: 1 });
    expect(state[0]?.done).toEqual(['write /a (644)']);
    expect(context.of('condition.waiting')[0]).toMatchObject({ condition: 'a/api', lastError: 'look 2' });
    expect(context.of('condition.met')).toMatchObject([{ condition: 'a/api' }]);
  });

  it('fails with its last reason when the time is over, and nothing was applied', async () => {
    vi.useFakeTimers();
    const { step, count } = blockedUntil(1000, 10);
    const state = hosts('n1');

    const running = run([hostPhase('a', { steps: () => [step, fileStep('/a')] })], state);
    await vi.advanceTimersByTimeAsync(60_000);

    expect((await running).errors).toMatchObject([{ code: 'API_NOT_ANSWERING', message: `api: look ${count()}` }]);
    expect(count()).toBeGreaterThan(4);
    expect(count()).toBeLessThan(9);
    expect(state[0]?.done).toEqual([]);
  });

  it('is not waited for on a dry run', async () => {
    const { step, count } = blockedUntil(9, 60);

    const result = await run(
      [hostPhase('a', { steps: () => [step] })],
      hosts('n1'),
      createTestContext({ dryRun: true }),
    );

    expect(result).toMatchObject({ status: 'failed', errors: [{ code: 'API_NOT_ANSWERING' }] });
    expect(count()).toBe(1);
  });
});

describe('a host that another run changes', () => {
  it('is looked at and planned anew', async () => {
    const state = hosts('n1');
    state[0]?.faults.push((_, perform) => {
      state[0]?.changeBehind(() => state[0]?.write('/a', 'x'));
      return perform();
    });

    const result = await run([hostPhase('a', { steps: () => [fileStep('/a'), fileStep('/b')] })], state);

    expect(result).toMatchObject({ status: 'ok', changes: 1 });
    expect(state[0]?.done).toEqual(['write /b (644)']);
  });

  it('is given up where that happens again and again', async () => {
    const state = hosts('n1');
    for (let index = 0; index < 3; index += 1) state[0]?.faults.push(() => ({ status: 'stale' }));

    const result = await run([hostPhase('a')], state);

    expect(result.errors).toMatchObject([{ code: 'HOST_KEEPS_CHANGING', host: 'n1' }]);
    expect(state[0]?.faults).toEqual([]);
    expect(state[0]?.done).toEqual([]);
  });
});

describe('a connection that is lost while changes are applied', () => {
  it('is followed by a look, and what was done is counted and not repeated', async () => {
    const state = hosts('n1');
    state[0]?.faults.push((_, perform) => {
      perform();
      throw lost;
    });
    const context = createTestContext();

    const result = await run([hostPhase('a')], state, context);

    expect(result).toMatchObject({ status: 'ok', changes: 1 });
    expect(state[0]?.done).toEqual(['write /a (644)']);
    expect(context.of('log')).toMatchObject([
      { level: 'warning', host: 'n1', message: 'the connection was lost; looking again before anything is repeated' },
    ]);
    expect(statusesOf(context)).toEqual({ a: 'changed' });
  });

  it('is followed by what is left to do', async () => {
    const state = hosts('n1');
    state[0]?.faults.push(() => {
      state[0]?.changeBehind(() => state[0]?.write('/a', 'x'));
      throw lost;
    });

    const result = await run([hostPhase('a', { steps: () => [fileStep('/a'), fileStep('/b')] })], state);

    expect(result).toMatchObject({ status: 'ok', changes: 2 });
    expect(state[0]?.done).toEqual(['write /b (644)']);
  });

  it('counts as lost too where the end of an action did not arrive', async () => {
    const state = hosts('n1');
    state[0]?.faults.push((_, perform) => {
      perform();
      return { status: 'failed', failed: { index: 0, exitCode: undefined, output: '' } };
    });

    expect(await run([hostPhase('a')], state)).toMatchObject({ status: 'ok', changes: 1 });
    expect(state[0]?.done).toEqual(['write /a (644)']);
  });

  it('is an error where it happens again and again', async () => {
    const state = hosts('n1');
    for (let index = 0; index < 3; index += 1) {
      state[0]?.faults.push(() => {
        throw lost;
      });
    }

    expect((await run([hostPhase('a')], state)).errors).toMatchObject([{ code: 'SSH_CONNECTION_LOST', host: 'n1' }]);
  });

  it('is an error at once where it is certain that nothing ran', async () => {
    const state = hosts('n1');
    state[0]?.faults.push(() => {
      throw new InstallerError({ code: 'HOST_LOCKED', message: 'another run', host: 'n1' });
    });

    expect((await run([hostPhase('a')], state)).errors).toMatchObject([{ code: 'HOST_LOCKED' }]);
  });
});

describe('an interrupt', () => {
  it('lets the script that runs end, and starts nothing more', async () => {
    const state = hosts('n1');
    const context = createTestContext();
    state[0]?.faults.push((_, perform) => {
      context.abort();
      return perform();
    });

    const result = await run(
      [hostPhase('a'), hostPhase('b'), clusterPhase('c', () => Promise.resolve([]))],
      state,
      context,
    );

    expect(result).toMatchObject({
      status: 'interrupted',
      exitCode: 130,
      changes: 1,
      errors: [{ code: 'INTERRUPTED', host: 'n1' }],
    });
    expect(state[0]?.done).toEqual(['write /a (644)']);
    expect(statusesOf(context)).toEqual({ a: 'changed', b: 'interrupted', c: 'skipped' });
  });

  it('leaves a script that takes long, and says what goes on there', async () => {
    vi.useFakeTimers();
    const state = hosts('n1');
    const context = createTestContext();
    state[0]?.faults.push(
      (input) =>
        new Promise((_, reject) => {
          input.signal?.addEventListener('abort', () => reject(lost));
          context.abort();
        }),
    );
    const long = plainStep('init', () =>
      changes({
        summary: 'run kubeadm init',
        actions: [{ kind: 'long', unit: 'installer-c1-init', commands: [['kubeadm', 'init']], timeoutSeconds: 60 }],
      }),
    );

    const running = run([hostPhase('a', { steps: () => [long] })], state, context);
    await vi.advanceTimersByTimeAsync(6000);

    expect((await running).errors).toMatchObject([
      {
        code: 'INTERRUPTED',
        message: 'interrupted during a: run kubeadm init',
        remedy: expect.stringContaining('installer-c1-init.service') as string,
      },
    ]);
    expect(statusesOf(context)).toEqual({ a: 'interrupted' });
  });

  it('ends the wait for another host', async () => {
    const [cp, worker] = hosts('cp', 'worker') as [FakeHost, FakeHost];
    const context = createTestContext();
    const { opened, open } = gate();
    cp.faults.push(async (_, perform) => {
      await opened;
      return perform();
    });

    const running = run(
      [hostPhase('init', { hosts: () => [cp] }), hostPhase('join', { hosts: () => [worker], after: ['init'] })],
      [cp, worker],
      context,
    );
    await vi.waitFor(() => expect(cp.faults).toEqual([]));
    context.abort();
    await vi.waitFor(() => expect(context.of('host.finished')).toHaveLength(1));
    open();

    expect(await running).toMatchObject({ status: 'interrupted', errors: [{ code: 'INTERRUPTED', host: 'worker' }] });
    expect(worker.done).toEqual([]);
  });

  it('before the first phase reaches none', async () => {
    const state = hosts('n1');
    const context = createTestContext();
    context.abort();

    const result = await run([hostPhase('a')], state, context);

    expect(result).toMatchObject({ status: 'interrupted', exitCode: 130 });
    expect(statusesOf(context)).toEqual({ a: 'skipped' });
    expect(state[0]?.trips).toBe(0);
  });
});

describe('groupPhases', () => {
  it('puts neighbouring host phases together', () => {
    const cluster = (id: string): Phase<State> => clusterPhase(id, () => Promise.resolve([]));
    const phases = [cluster('a'), hostPhase('b'), hostPhase('c'), cluster('d'), cluster('e'), hostPhase('f')];

    expect(groupPhases(phases).map((group) => group.map(({ id }) => id))).toEqual([
      ['a'],
      ['b', 'c'],
      ['d'],
      ['e'],
      ['f'],
    ]);
  });
});
