import { describe, expect, it, vi } from 'vitest';
import type { FakeHost } from '../../test/support/fake-host.ts';
import { createTestContext } from '../../test/support/run-context.ts';
import {
  clusterPhase,
  fileStep,
  gate,
  hostPhase,
  hosts,
  plainStep,
  run,
  statusesOf,
  type State,
} from '../../test/support/small-workflow.ts';
import { InstallerError } from '../errors.ts';
import { fileQuery } from '../ops/query.ts';
import { secretPlaceholder } from '../ops/secrets.ts';
import type { ClusterPhase, Phase } from './phase.ts';
import { groupPhases } from './runner.ts';
import { changes, deferred, noChanges, type StepPlan } from './step.ts';

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

  it('refuses to skip a phase that others stand on', async () => {
    const phase: Phase<State> = { ...clusterPhase('connect', () => Promise.resolve([])), required: true };

    await expect(run([phase], hosts('n1'), createTestContext(), ['connect'])).rejects.toMatchObject({
      code: 'PHASE_REQUIRED',
      exitCode: 2,
    });
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
      before: (_, given) => (given.setSecret('token', secret), Promise.resolve()),
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
    expect(context.of('host.finished').map(({ phase, host }) => `${phase} ${host}`)).toEqual([
      'a fast',
      'b fast',
      'a slow',
      'b slow',
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
