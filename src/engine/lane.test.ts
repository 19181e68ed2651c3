import { afterEach, describe, expect, it, vi } from 'vitest';
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
import type { ApplyResult } from '../hosts/host.ts';
import { unitGoneStatus } from '../ops/action.ts';
import { fileQuery } from '../ops/query.ts';
import type { HostPhase } from './phase.ts';
import { blocked, changes, deferred, noChanges, type Step, type StepPlan } from './step.ts';

const lost = new InstallerError({ code: 'SSH_CONNECTION_LOST', message: 'the connection was lost' });

afterEach(() => {
  vi.useRealTimers();
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
    const never = plainStep('never', () => changes({ summary: 'spin', after: 'text', actions: [] }));

    const result = await run([hostPhase('a', { steps: () => [fileStep('/a'), never] })], state);

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

  it('is not waited for on a dry run, which shows what the others of its phase would change', async () => {
    const { step, count } = blockedUntil(9, 60);
    const context = createTestContext({ dryRun: true });

    const result = await run([hostPhase('a', { steps: () => [step, fileStep('/a')] })], hosts('n1'), context);

    expect(context.of('step.planned')).toHaveLength(1);
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

describe('a run that waits for what an earlier run began', () => {
  const query = fileQuery('/made');
  /** Wants the file, and waits for the unit that an earlier run started to make it. */
  const attach: Step = {
    id: 'attach',
    observe: [query],
    plan: (seen) =>
      seen(query).state === 'present'
        ? noChanges
        : changes({
            summary: 'wait',
            actions: [{ kind: 'long', unit: 'u', commands: [['make']], timeoutSeconds: 60, attachOnly: true }],
          }),
  };

  it('looks again where the unit went away, because the earlier run took its result', async () => {
    const state = hosts('n1');
    state[0]?.faults.push(() => {
      state[0]?.changeBehind(() => state[0]?.write('/made', 'x'));
      return { status: 'failed', failed: { index: 0, exitCode: unitGoneStatus, output: 'unit u is gone' } };
    });

    const result = await run([hostPhase('a', { steps: () => [attach] })], state);

    expect(result).toMatchObject({ status: 'ok', changes: 1, errors: [] });
  });

  it('fails where the unit goes away again and again', async () => {
    const state = hosts('n1');
    for (let index = 0; index < 3; index += 1) {
      state[0]?.faults.push(() => ({
        status: 'failed',
        failed: { index: 0, exitCode: unitGoneStatus, output: 'unit u is gone' },
      }));
    }

    const result = await run([hostPhase('a', { steps: () => [attach] })], state);

    expect(result.errors).toMatchObject([{ code: 'ACTION_FAILED', details: ['unit u is gone'] }]);
  });

  it('looks once more where what it needs was not there yet when it looked', async () => {
    const state = hosts('n1', 'n2');
    const [first, second] = state;
    // The earlier run ends its work while this one waits, so this one changes nothing there.
    second?.faults.push(() => {
      second.changeBehind(() => second.write('/made', 'x'));
      first?.changeBehind(() => first.write('/made', 'x'));
      return { status: 'stale' };
    });
    const waits: Step = {
      id: 'waits',
      observe: [query],
      plan: (seen) =>
        seen(query).state === 'absent'
          ? deferred('join', 'label')
          : changes(...(first?.files.has('/labelled') ? [] : [{ summary: 'label', actions: [label] }])),
    };
    const label = { kind: 'write-file', path: '/labelled', content: '', mode: '644' } as const;
    const phases = [
      hostPhase('join', { hosts: (all) => all.slice(1), steps: () => [attach] }),
      hostPhase('labels', { hosts: (all) => all.slice(0, 1), after: ['join'], steps: () => [waits] }),
    ];

    const result = await run(phases, state);

    expect(result).toMatchObject({ status: 'ok', errors: [] });
    expect(first?.done).toEqual(['write /labelled (644)']);
  });
});

describe('what an action has to say', () => {
  it('is a warning of its host', async () => {
    const state = hosts('n1');
    state[0]?.faults.push((_, perform) => ({ ...perform(), notes: ['another version'] }) as ApplyResult);
    const context = createTestContext();

    expect(await run([hostPhase('a')], state, context)).toMatchObject({ status: 'ok', changes: 1 });
    expect(context.of('log')).toMatchObject([{ level: 'warning', host: 'n1', message: 'another version' }]);
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

  it('is no other run that keeps changing the host, when its script ends late', async () => {
    const state = hosts('n1');
    // A run that was killed left a script, and so do the connections that this one loses.
    const stale = (): { status: 'stale' } => ({ status: 'stale' });
    const loses = (): never => {
      throw lost;
    };
    state[0]?.faults.push(stale, loses, stale, loses, stale);

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
