import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { testCluster } from '../../test/support/cluster.ts';
import { createFakeHost, type CommandAnswer, type FakeHost } from '../../test/support/fake-host.ts';
import { createTestContext } from '../../test/support/run-context.ts';
import type { Member } from '../kubernetes/cluster.ts';
import type { CommandSeen, Seen } from '../ops/query.ts';
import { judgeDial, probeNetwork, renderProbe } from './probe.ts';

function answer(given: Partial<CommandSeen>): Seen<CommandSeen> {
  return { state: 'present', value: { exitCode: 0, stdout: '', stderr: '', durationMs: 1, ...given } };
}

describe('judgeDial', () => {
  it.each<[string, Seen<CommandSeen>, string | undefined]>([
    ['an answer', answer({ stdout: '{"responses":["probe-1"]}' }), undefined],
    ['an answer beside an error', answer({ stdout: '{"responses":["probe-1"],"errors":["x"]}' }), undefined],
    ['an error', answer({ stdout: '{"errors":["dial tcp: i/o timeout","again"]}' }), 'dial tcp: i/o timeout, again'],
    ['empty lists', answer({ stdout: '{"responses":null,"errors":null}' }), 'no answer'],
    ['no JSON', answer({ stdout: 'Bad Gateway' }), 'unexpected answer: Bad Gateway'],
    ['nothing', answer({}), 'unexpected answer: '],
    ['a failed request', answer({ exitCode: 28, stderr: 'curl: (28) timed out\n' }), 'curl: (28) timed out'],
    ['a failed request without a word', answer({ exitCode: 7 }), 'the request ended with 7'],
    ['no tool', { state: 'absent' }, 'neither curl nor wget is installed'],
    ['no end', { state: 'unknown', reason: 'curl did not answer in time' }, 'curl did not answer in time'],
  ])('takes %s for what it is', (_name, seen, expected) => {
    expect(judgeDial(seen)).toBe(expected);
  });
});

describe('renderProbe', () => {
  it('is a namespace, a service, and a pod on every node that needs no rights', () => {
    const documents = parseAllDocuments(renderProbe('ns', 'registry.k8s.io/e2e-test-images/agnhost:2.53')).map(
      (document) => document.toJSON() as unknown,
    );

    expect(documents).toMatchObject([
      { kind: 'Namespace', metadata: { name: 'ns' } },
      { kind: 'Service', metadata: { namespace: 'ns' }, spec: { selector: { app: 'probe' } } },
      {
        kind: 'DaemonSet',
        metadata: { namespace: 'ns' },
        spec: {
          template: {
            metadata: { labels: { app: 'probe' } },
            spec: {
              tolerations: [{ operator: 'Exists' }],
              automountServiceAccountToken: false,
              containers: [
                { image: 'registry.k8s.io/e2e-test-images/agnhost:2.53', securityContext: { runAsNonRoot: true } },
              ],
            },
          },
        },
      },
    ]);
  });
});

describe('probeNetwork', () => {
  const nodes = ['cp1', 'w1', 'w2'];
  const namespace = 'installer-verify-0a1b2c3d';

  function pods(count: number): string {
    const items = nodes.slice(0, count).map((nodeName, index) => ({
      metadata: { name: `probe-${index}` },
      spec: { nodeName },
      status: { podIP: `10.244.${index}.9`, conditions: [{ type: 'Ready', status: 'True' }] },
    }));
    return JSON.stringify({ items });
  }

  /** A control plane whose cluster does as it should; answers may be replaced. */
  function memberThat(commands: readonly (readonly [string | RegExp, CommandAnswer])[] = []): {
    member: Member;
    host: FakeHost;
    deleted: () => boolean;
  } {
    const host = createFakeHost('cp1');
    let deleted = false;
    host.on(/ apply -f -$/, 'created');
    host.on(/ rollout status /, 'done');
    host.on(/ get pods /, pods(3));
    host.on('curl', '{"responses":["x"]}');
    host.on(/ delete namespace installer-verify-0a1b2c3d /, () => ((deleted = true), ''));
    for (const [command, given] of commands) host.on(command, given);
    const [member] = testCluster({ hosts: { cp1: host } }).members;
    if (member === undefined) throw new Error('no member');
    return { member, host, deleted: () => deleted };
  }

  it('lets every pod ask the service and its neighbours, and takes the pods away again', async () => {
    const { member, deleted } = memberThat();

    expect(await probeNetwork(member, nodes, 'agnhost', createTestContext())).toEqual({ questions: 9 });
    expect(deleted()).toBe(true);
  });

  it('asks the addresses that it says', async () => {
    const asked: string[] = [];
    const { member, host } = memberThat();
    host.on('curl', (argv) => {
      asked.push(argv.at(-1) ?? '');
      return '{"responses":["x"]}';
    });

    await probeNetwork(member, nodes, 'agnhost', createTestContext());

    expect(asked).toContain(
      `http://10.244.0.9:8080/dial?request=hostname&protocol=http&host=probe.${namespace}.svc.cluster.local&port=80&tries=1`,
    );
    expect(asked).toContain(
      'http://10.244.2.9:8080/dial?request=hostname&protocol=http&host=10.244.0.9&port=8080&tries=1',
    );
  });

  it('asks again where a question fails at first', async () => {
    let count = 0;
    const { member } = memberThat();
    (member.host as FakeHost).on(
      'curl',
      () => ((count += 1), count <= 2 ? { exitCode: 28, stderr: 'late' } : '{"responses":["x"]}'),
    );

    expect(await probeNetwork(member, nodes, 'agnhost', createTestContext())).toEqual({ questions: 9 });
    expect(count).toBe(11);
  });

  it('fails with every question that has no answer when the time is over', async () => {
    const { member, deleted } = memberThat();
    (member.host as FakeHost).on('curl', (argv) =>
      argv.at(-1)?.includes('host=10.244.1.9') === true ? '{"errors":["connection refused"]}' : '{"responses":["x"]}',
    );

    await expect(
      probeNetwork(member, nodes, 'agnhost', createTestContext(), { podsMs: 10, answersMs: 10 }),
    ).rejects.toMatchObject({
      code: 'NETWORK_PROBE_FAILED',
      details: ['pod on cp1 to pod on w1: connection refused', 'pod on w2 to pod on w1: connection refused'],
    });
    expect(deleted()).toBe(true);
  });

  it('fails where a node has no pod that is ready, and takes the pods away all the same', async () => {
    const { member, deleted } = memberThat([[/ get pods /, pods(2)]]);

    await expect(
      probeNetwork(member, nodes, 'agnhost', createTestContext(), { podsMs: 10, answersMs: 10 }),
    ).rejects.toMatchObject({
      code: 'NETWORK_PROBE_FAILED',
      details: ['no probe pod runs on w2'],
    });
    expect(deleted()).toBe(true);
  });

  it('fails with the output of kubectl where the pods cannot be made', async () => {
    const { member, deleted } = memberThat([[/ rollout status /, { exitCode: 1, stderr: 'error: timed out waiting' }]]);

    await expect(probeNetwork(member, nodes, 'agnhost', createTestContext())).rejects.toMatchObject({
      code: 'NETWORK_PROBE_FAILED',
      details: ['error: timed out waiting'],
    });
    expect(deleted()).toBe(true);
  });
});
