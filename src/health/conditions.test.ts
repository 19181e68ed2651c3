import { afterEach, describe, expect, it, vi } from 'vitest';
import { createFakeHost, type CommandAnswer, type FakeHost } from '../../test/support/fake-host.ts';
import { createTestContext } from '../../test/support/run-context.ts';
import { waitForConditions, type Condition } from './condition.ts';
import { nodesReady, systemPodsReady } from './conditions.ts';

afterEach(() => {
  vi.useRealTimers();
});

function list(...items: readonly unknown[]): string {
  return JSON.stringify({ kind: 'List', items });
}

function ready(status: string, message?: string): unknown {
  return { conditions: [{ type: 'Ready', status, message }] };
}

async function judge(condition: Condition, answer: CommandAnswer): Promise<string | undefined> {
  const host = createFakeHost('cp1');
  host.on('kubectl', answer);
  return condition.judge(await host.observe(condition.queries));
}

describe('nodesReady', () => {
  const condition = nodesReady(['cp1', 'w1']);
  const cp1 = { metadata: { name: 'cp1' }, status: ready('True') };

  it.each<[string, CommandAnswer, string | undefined]>([
    ['all are ready', list(cp1, { metadata: { name: 'w1' }, status: ready('True') }), undefined],
    [
      'others beside them are not',
      list(cp1, { metadata: { name: 'w1' }, status: ready('True') }, { metadata: { name: 'x' } }),
      undefined,
    ],
    ['one is not registered', list(cp1), 'w1 is not registered'],
    [
      'one is not ready',
      list(cp1, { metadata: { name: 'w1' }, status: ready('False', 'cni plugin not initialized') }),
      'w1 is not Ready (cni plugin not initialized)',
    ],
    ['one has no condition yet', list(cp1, { metadata: { name: 'w1' } }), 'w1 is not Ready'],
    ['there are none', list(), 'cp1 is not registered, w1 is not registered'],
    ['the API server is silent', { exitCode: 1, stderr: 'refused\n' }, 'refused'],
  ])('judges that %s', async (_name, answer, expected) => {
    expect(await judge(condition, answer)).toBe(expected);
  });

  it('is described by the number of nodes', () => {
    expect([nodesReady(['a']).description, condition.description]).toEqual([
      'the node is Ready',
      'all 2 nodes are Ready',
    ]);
  });
});

describe('systemPodsReady', () => {
  const pod = (name: string, status: unknown, namespace = 'kube-system'): unknown => ({
    metadata: { name, namespace },
    status,
  });
  const dns = pod('coredns-1', ready('True'));

  it.each<[string, CommandAnswer, string | undefined]>([
    ['all are ready', list(dns, pod('etcd-cp1', ready('True'))), undefined],
    ['one has done its work', list(dns, pod('job', { phase: 'Succeeded' })), undefined],
    ['pods of users are not', list(dns, pod('app', ready('False'), 'default')), undefined],
    ['CoreDNS is not there', list(pod('etcd-cp1', ready('True'))), 'there is no CoreDNS pod yet'],
    [
      'one waits',
      list(dns, pod('kube-flannel-ds-1', { phase: 'Pending', ...(ready('False') as object) }, 'kube-flannel')),
      'kube-flannel-ds-1 Pending',
    ],
    [
      'one crashes',
      list(
        dns,
        pod('x', {
          ...(ready('False') as object),
          containerStatuses: [{ name: 'c', ready: false, state: { waiting: { reason: 'CrashLoopBackOff' } } }],
        }),
      ),
      'x CrashLoopBackOff',
    ],
    ['nothing is known of one', list(dns, pod('x', {})), 'x is unknown'],
    ['the API server is silent', { unknown: 'kubectl did not answer in time' }, 'kubectl did not answer in time'],
  ])('judges that %s', async (_name, answer, expected) => {
    expect(await judge(systemPodsReady, answer)).toBe(expected);
  });
});

describe('waitForConditions', () => {
  function condition(id: string, more: Partial<Condition> = {}): Condition {
    const query = { kind: 'command', argv: [id], timeoutSeconds: 1 } as const;
    return {
      id,
      description: `${id} holds`,
      timeoutMs: 10_000,
      intervalMs: 1000,
      queries: [query],
      remedy: `mend ${id}`,
      judge(seen) {
        const answer = seen(query);
        return answer.state === 'present' && answer.value.exitCode === 0 ? undefined : `${id} is not well`;
      },
      ...more,
    };
  }

  /** Commands that succeed from the given look on. */
  function hostThat(from: Readonly<Record<string, number>>): { readonly host: FakeHost; readonly asked: string[] } {
    const host = createFakeHost('cp1');
    const asked: string[] = [];
    for (const [command, count] of Object.entries(from)) {
      host.on(command, () => {
        asked.push(command);
        return { exitCode: asked.filter((other) => other === command).length >= count ? 0 : 1 };
      });
    }
    return { host, asked };
  }

  it('asks for all in one trip, and no more for those that hold', async () => {
    vi.useFakeTimers();
    const { host, asked } = hostThat({ a: 1, b: 3 });
    const context = createTestContext();

    const waiting = waitForConditions(host, [condition('a'), condition('b')], context);
    await vi.advanceTimersByTimeAsync(5000);
    await waiting;

    expect(asked).toEqual(['a', 'b', 'b', 'b']);
    expect(host.trips).toBe(3);
    expect(context.events).toMatchObject([
      { type: 'condition.met', condition: 'a' },
      { type: 'condition.waiting', condition: 'a+b', lastError: 'b: b is not well' },
      { type: 'condition.met', condition: 'b' },
      { type: 'condition.met', condition: 'a+b' },
    ]);
  });

  it('watches between looks where a condition says how', async () => {
    vi.useFakeTimers();
    const { host, asked } = hostThat({ a: 1, b: 2, watch: 1 });
    const blockOn = { kind: 'command', argv: ['watch'], timeoutSeconds: 9 } as const;

    const waiting = waitForConditions(
      host,
      [condition('a', { blockOn }), condition('b', { blockOn })],
      createTestContext(),
    );
    await vi.advanceTimersByTimeAsync(5000);
    await waiting;

    expect(asked).toEqual(['a', 'b', 'watch', 'b']);
    expect(host.trips).toBe(2);
  });

  it('fails at the deadline with the reasons and remedies of those that do not hold, and what explains them', async () => {
    vi.useFakeTimers();
    const { host } = hostThat({ a: 1, b: 999, events: 1 });
    const events = { kind: 'command', argv: ['events'], timeoutSeconds: 1 } as const;
    const explain = { queries: [events], render: () => ['Pod x: FailedMount'] };

    const waiting = waitForConditions(
      host,
      [condition('a', { explain }), condition('b', { explain })],
      createTestContext(),
    );
    const failure = waiting.catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(30_000);

    expect(await failure).toMatchObject({
      code: 'CONDITION_NOT_MET',
      host: 'cp1',
      message: 'not in time: b: b is not well',
      remedy: 'mend b',
      details: ['Pod x: FailedMount'],
    });
  });

  it('ends when the run is interrupted', async () => {
    const { host } = hostThat({ a: 999 });
    const context = createTestContext();

    const waiting = waitForConditions(host, [condition('a')], context);
    const failure = waiting.catch((error: unknown) => error);
    await vi.waitFor(() => expect(context.of('condition.waiting')).toHaveLength(1));
    context.abort();

    expect(await failure).toMatchObject({ code: 'INTERRUPTED' });
  });

  it('says again every few seconds what it waits for', async () => {
    vi.useFakeTimers();
    const { host } = hostThat({ a: 9 });
    const context = createTestContext();

    const waiting = waitForConditions(host, [condition('a')], context);
    await vi.advanceTimersByTimeAsync(9000);
    await waiting;

    expect(context.of('condition.waiting').map(({ elapsedMs }) => Math.round(elapsedMs / 1000))).toEqual([0, 5]);
  });
});
