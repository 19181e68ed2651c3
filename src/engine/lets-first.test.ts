import { describe, expect, it } from 'vitest';
import { createTestContext } from '../../test/support/run-context.ts';
import { fileStep, hostPhase, hosts, plainStep, run, type State } from '../../test/support/small-workflow.ts';
import { fileQuery } from '../ops/query.ts';
import type { HostPhase } from './phase.ts';
import { blocked, changes, noChanges } from './step.ts';

describe('a phase that lets others first', () => {
  const doIt = plainStep('late', (seen) =>
    seen(fileQuery('/late')).state === 'present'
      ? noChanges
      : changes({ summary: 'do it', actions: [{ kind: 'run', argv: ['do-it'], timeoutSeconds: 1 }] }),
  );

  /** `other` tells what `first` had done when its own turn came. */
  async function orderOf(maxMs: number, later: Partial<HostPhase<State>> = {}): Promise<readonly string[]> {
    const state = hosts('first', 'other');
    const [first, other] = state;
    let seen: readonly string[] = ['never'];
    other?.on('do-it', () => {
      seen = [...(first?.done ?? [])];
      other.write('/late', '');
      return '';
    });
    const early = hostPhase('a', {
      letsFirst: { phase: 'b', maxMs },
      steps: (host) => (host.name === 'other' ? [{ ...doIt, observe: [fileQuery('/late')] }] : [fileStep('/a')]),
    });
    await run([early, hostPhase('b', { hosts: (all) => all.slice(0, 1), ...later })], state, createTestContext());
    return seen;
  }

  it('waits on its other hosts until that phase is over', async () => {
    expect(await orderOf(60_000)).toEqual(['write /a (644)', 'write /b (644)']);
  });

  it('waits no longer than it says', async () => {
    // b in turn waits for a.
    expect(await orderOf(20, { after: ['a'] })).toEqual(['write /a (644)']);
  });

  it('goes on where that phase failed', async () => {
    const broken = plainStep('broken', () => blocked('BROKEN', 'it is broken', 'mend it'));

    expect(await orderOf(60_000, { steps: () => [broken] })).toEqual(['write /a (644)']);
  });
});
