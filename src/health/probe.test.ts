import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { testCluster } from '../../test/support/cluster.ts';
import { createFakeHost, type CommandAnswer, type FakeHost } from '../../test/support/fake-host.ts';
import { createTestContext } from '../../test/support/run-context.ts';
import type { Member } from '../kubernetes/cluster.ts';
import { dialsAtOnce } from './dial.ts';
import { probeNetwork, renderProbe } from './probe.ts';

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

  const good = '0 {"responses":["x"]}';

  /** The script that lets pods ask, by the URL of each question: its exit status and what it printed. */
  function answerDials(host: FakeHost, answer: (url: string) => string): void {
    host.on(/^\/bin\/sh -c n=0/, (argv) =>
      argv
        .slice(4)
        .map((url, index) => `${index} ${answer(url)}\n`)
        .join(''),
    );
  }

  function pods(count: number, names: readonly string[] = nodes): string {
    const items = names.slice(0, count).map((nodeName, index) => ({
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
    answerDials(host, () => good);
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
    answerDials(host, (url) => (asked.push(url), good));

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
    const { member, host } = memberThat();
    answerDials(host, () => ((count += 1), count <= 2 ? '28 late' : good));

    expect(await probeNetwork(member, nodes, 'agnhost', createTestContext())).toEqual({ questions: 9 });
    expect(count).toBe(11);
  });

  it('asks so many at once and no more, and what failed before what was not asked yet', async () => {
    const many = Array.from({ length: 20 }, (_, index) => `n${index}`);
    const rounds: number[] = [];
    const { member, host } = memberThat([[/ get pods /, pods(20, many)]]);
    host.on(/^\/bin\/sh -c n=0/, (argv) => {
      const urls = argv.slice(4);
      rounds.push(urls.length);
      const isFirst = rounds.length === 1;
      return urls.map((_, index) => `${index} ${isFirst && index < 2 ? '28 late' : good}\n`).join('');
    });

    expect(await probeNetwork(member, many, 'agnhost', createTestContext())).toEqual({ questions: 80 });
    expect(rounds).toEqual([dialsAtOnce, 2 + 80 - dialsAtOnce]);
  });

  it('fails with every question that has no answer when the time is over', async () => {
    const { member, host, deleted } = memberThat();
    answerDials(host, (url) => (url.includes('host=10.244.1.9') ? '0 {"errors":["connection refused"]}' : good));

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
