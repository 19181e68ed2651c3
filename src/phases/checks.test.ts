import { describe, expect, it } from 'vitest';
import { testCluster, type TestClusterInput } from '../../test/support/cluster.ts';
import { createTestContext } from '../../test/support/run-context.ts';
import { InstallerError } from '../errors.ts';
import type { Cluster } from '../kubernetes/cluster.ts';
import { checkIdentity } from './check-identity.ts';
import { runPrechecks } from './run-prechecks.ts';

const ours = { clusterId: 'c1', clusterName: 'prod' };
const noChange = { changed: 0 };

function clusterWith(facts: TestClusterInput['facts'], ignoreChecks: readonly string[] = []): Cluster {
  return {
    ...testCluster({ ...(facts === undefined ? {} : { facts }) }),
    options: { verifyContent: false, ignoreChecks },
  };
}

/** The errors that a phase ends with. */
function errorsOf(run: () => Promise<unknown>): readonly InstallerError[] {
  try {
    void run();
  } catch (error) {
    if (error instanceof AggregateError) return error.errors as InstallerError[];
    if (error instanceof InstallerError) return [error];
    throw error;
  }
  return [];
}

describe('runPrechecks', () => {
  it('reports every finding, and then fails once with all errors', () => {
    const context = createTestContext();
    const cluster = clusterWith({ cp1: { cpus: 1, swaps: ['/dev/sda2'] }, w1: { architecture: 'riscv64' } });

    const errors = errorsOf(() => runPrechecks.run(cluster, context, noChange));

    expect(context.of('check.finding').map(({ check, host, ignored }) => [check, host, ignored])).toEqual([
      ['architecture-supported', 'w1', false],
      ['cpu', 'cp1', false],
      ['swap-disabled', 'cp1', false],
    ]);
    expect(errors).toMatchObject([
      { code: 'PRECHECK_FAILED', exitCode: 3, message: '2 checks failed; nothing was changed' },
    ]);
    expect(errors[0]?.details).toHaveLength(2);
  });

  it('goes on where what fails is ignored, and reports it all the same', () => {
    const context = createTestContext();

    expect(errorsOf(() => runPrechecks.run(clusterWith({ cp1: { cpus: 1 } }, ['cpu']), context, noChange))).toEqual([]);
    expect(context.of('check.finding')).toMatchObject([{ check: 'cpu', host: 'cp1', ignored: true }]);
  });

  it('goes on with warnings', () => {
    expect(
      errorsOf(() => runPrechecks.run(clusterWith({ w1: { resolverMs: 2500 } }), createTestContext(), noChange)),
    ).toEqual([]);
  });

  it.each([
    ['that does not exist', 'cpus', 'UNKNOWN_CHECK'],
    ['that guards another cluster', 'same-cluster', 'CHECK_MANDATORY'],
  ])('refuses to ignore a check %s', (_name, id, code) => {
    expect(errorsOf(() => runPrechecks.run(clusterWith({}, [id]), createTestContext(), noChange))).toMatchObject([
      { code, exitCode: 2 },
    ]);
  });

  it('reports hosts that cannot be reached together with what is wrong on the others', () => {
    const cluster = clusterWith({ cp1: { cpus: 1 } });
    cluster.unreachable.push(new InstallerError({ code: 'SSH_REFUSED', message: 'refused', host: 'w2' }));

    expect(errorsOf(() => runPrechecks.run(cluster, createTestContext(), noChange))).toMatchObject([
      { code: 'SSH_REFUSED', host: 'w2', exitCode: 3 },
      { code: 'PRECHECK_FAILED' },
    ]);
  });

  it.each<[string, TestClusterInput['facts'], RegExp]>([
    ['a new one where no host has any', {}, /^[0-9a-f]{10}$/],
    ['that of the control plane', { cp1: { identity: ours } }, /^c1$/],
    ['that of a worker where the control plane has none', { w2: { identity: ours } }, /^c1$/],
  ])('takes as identity of the cluster %s', (_name, facts, expected) => {
    const cluster = clusterWith(facts);

    errorsOf(() => runPrechecks.run(cluster, createTestContext(), noChange));

    expect(cluster.clusterId).toMatch(expected);
  });
});

describe('checkIdentity', () => {
  it.each<[string, TestClusterInput['facts']]>([
    ['of this cluster', { cp1: { identity: ours }, w1: { identity: ours }, w2: { identity: ours } }],
    ['that are bare', {}],
    ['of this cluster beside bare ones, as after a reset that was cut off', { cp1: { identity: ours } }],
  ])('lets hosts be reset %s', (_name, facts) => {
    expect(errorsOf(() => checkIdentity.run(clusterWith(facts), createTestContext(), noChange))).toEqual([]);
  });

  it.each<[string, TestClusterInput['facts'], RegExp]>([
    [
      'of another cluster',
      { cp1: { identity: ours }, w1: { identity: { clusterId: 'c9', clusterName: 'other' } } },
      /belongs to cluster other \(c9\)/,
    ],
    [
      'of another cluster of the same name',
      { cp1: { identity: ours }, w1: { identity: { clusterId: 'c9', clusterName: 'prod' } } },
      /belongs to cluster prod \(c9\)/,
    ],
    ['whose identity cannot be read', { w1: { identityUnreadable: 'EIO' } }, /cannot be read: EIO/],
    [
      'with a Kubernetes of somebody else',
      { w1: { leftovers: ['/etc/kubernetes/admin.conf'] } },
      /not by this installer: \/etc\/kubernetes\/admin.conf/,
    ],
  ])('refuses a host %s, and names it', (_name, facts, message) => {
    expect(errorsOf(() => checkIdentity.run(clusterWith(facts), createTestContext(), noChange))).toMatchObject([
      { code: 'NOT_THIS_CLUSTER', host: 'w1', exitCode: 3, message: expect.stringMatching(message) as string },
    ]);
  });
});
