import { describe, expect, it } from 'vitest';
import { createTestContext } from '../../test/support/run-context.ts';
import { hostPhase, hosts, run } from '../../test/support/small-workflow.ts';

describe('a host whose lock another script has', () => {
  const holder = { what: 'run 0a1b (install-runtime)', pid: 812, seconds: 3 };

  async function waitingEvents(what: string): Promise<unknown[]> {
    const state = hosts('n1');
    const context = createTestContext();
    state[0]?.faults.push((input, perform) => {
      input.lockWatch?.onWait({ ...holder, what });
      input.lockWatch?.onTaken();
      return perform();
    });
    await run([hostPhase('a')], state, context);
    return context.events.filter((event) => event.type.startsWith('condition.'));
  }

  it('is told of, and the end of the wait', async () => {
    const base = { condition: 'lock/n1', description: 'the lock of n1' };

    expect(await waitingEvents('run 0a1b (install-runtime)')).toMatchObject([
      {
        ...base,
        type: 'condition.waiting',
        lastError: expect.stringMatching(
          /^run 0a1b \(install-runtime\), process 812, since \S+Z, is still changing this host$/,
        ) as string,
      },
      { ...base, type: 'condition.met' },
    ]);
  });

  it('is said to wait for its own run, where that lost the connection', async () => {
    const { runId } = createTestContext();

    expect(await waitingEvents(`run ${runId} (a)`)).toMatchObject([
      { lastError: expect.stringMatching(/^an earlier script of this run, run /) as string },
      {},
    ]);
  });
});
