import { describe, expect, it } from 'vitest';
import { testCluster, testConfig } from '../../test/support/cluster.ts';
import { createTestContext } from '../../test/support/run-context.ts';
import { InstallerError } from '../errors.ts';
import type { Facts } from '../hosts/facts.ts';
import { runPrechecksWith, tellPrechecks } from './run-prechecks.ts';

interface Given {
  readonly facts: Partial<Facts>;
  readonly strict?: boolean;
  /** A look that changes nothing. */
  readonly tells?: boolean;
  readonly ignoreChecks?: readonly string[];
  readonly unreachable?: InstallerError;
  /** YAML of spec.checks. */
  readonly checks?: string;
}

/** Codes and exit codes of what the phase fails with, and the findings that it told. */
async function outcomeOf(given: Given): Promise<{ readonly failures: string[]; readonly told: string[] }> {
  const cluster = {
    ...testCluster({
      facts: { w1: given.facts },
      config: testConfig(given.checks === undefined ? '' : `  checks: ${given.checks}\n`),
    }),
    options: { verifyContent: false, ignoreChecks: given.ignoreChecks ?? [] },
  };
  if (given.unreachable !== undefined) cluster.unreachable.push(given.unreachable);
  const context = createTestContext();
  const failures: string[] = [];
  try {
    const phase = given.tells === true ? tellPrechecks : runPrechecksWith({ strict: given.strict ?? false });
    await phase.run(cluster, context, { changed: 0 });
  } catch (error) {
    const all: unknown[] = error instanceof AggregateError ? error.errors : [error];
    for (const each of all) {
      if (!(each instanceof InstallerError)) throw each;
      failures.push(`${each.code} ${each.exitCode}`);
    }
  }
  const told = context.of('check.finding').map(({ check, severity, ignored, source, evidence }) => {
    expect(source).toBeTruthy();
    expect(evidence).toBeTruthy();
    return `${check} ${severity}${ignored ? ' ignored' : ''}`;
  });
  return { failures, told };
}

const warning = { selinuxEnforcing: true };

describe('the prechecks', () => {
  it.each<[string, Given, string[], string[]]>([
    ['pass good hosts', { facts: {} }, [], []],
    ['pass with a warning', { facts: warning }, [], ['selinux warning']],
    [
      'fail with a warning when they are strict',
      { facts: warning, strict: true },
      ['PRECHECK_FAILED 3'],
      ['selinux warning'],
    ],
    [
      'pass with an information when they are strict',
      { facts: { swaps: ['/x'] }, strict: true },
      [],
      ['swap-disabled info'],
    ],
    ['fail with an error', { facts: { systemdVersion: 219 } }, ['PRECHECK_FAILED 3'], ['systemd-running error']],
    [
      'are told with a look, which goes on',
      { facts: { systemdVersion: 219 }, tells: true },
      [],
      ['systemd-running error'],
    ],
    [
      'end a look at a host of another cluster',
      { facts: { systemdVersion: 219, identity: { clusterId: 'c9', clusterName: 'other' } }, tells: true },
      ['PRECHECK_FAILED 3'],
      ['same-cluster error', 'systemd-running error'],
    ],
    [
      'end a look where a host cannot be reached',
      { facts: {}, unreachable: new InstallerError({ code: 'SSH_REFUSED', message: 'no', host: 'w2' }), tells: true },
      ['SSH_REFUSED 3'],
      [],
    ],
    [
      'pass where what is found is ignored',
      { facts: { ...warning, systemdVersion: 219 }, strict: true, ignoreChecks: ['systemd-running', 'selinux'] },
      [],
      ['systemd-running error ignored', 'selinux warning ignored'],
    ],
    [
      'fail where a host cannot be reached, and tell the rest',
      { facts: warning, unreachable: new InstallerError({ code: 'SSH_REFUSED', message: 'no', host: 'w2' }) },
      ['SSH_REFUSED 3'],
      ['selinux warning'],
    ],
    ['refuse to ignore what guards data', { facts: {}, ignoreChecks: ['same-cluster'] }, ['CHECK_MANDATORY 2'], []],
    ['know their names', { facts: {}, ignoreChecks: ['selinx'] }, ['UNKNOWN_CHECK 2'], []],
    [
      'pass where the file ignores what is found',
      { facts: { systemdVersion: 219 }, checks: '{ ignore: [systemd-running] }' },
      [],
      ['systemd-running error ignored'],
    ],
    [
      'weigh a check as the file says, also what prepare-hosts would mend',
      { facts: { ...warning, swaps: ['/x'] }, checks: '{ severities: { selinux: error, swap-disabled: error } }' },
      ['PRECHECK_FAILED 3'],
      ['swap-disabled error', 'selinux error'],
    ],
    [
      'weigh as information what the file calls so',
      { facts: { systemdVersion: 219 }, checks: '{ severities: { systemd-running: info } }' },
      [],
      ['systemd-running info'],
    ],
    [
      'make nothing of what was not judged',
      { facts: { isRoot: false }, checks: '{ severities: { leftovers: error, privilege-escalation: warning } }' },
      [],
      [
        'privilege-escalation warning',
        'same-cluster info',
        'leftovers info',
        'version-unchanged info',
        'product-uuid-unique info',
      ],
    ],
    [
      'compare with the numbers of the file',
      { facts: { memoryBytes: 2 * 1024 ** 3 }, checks: '{ thresholds: { workerMemoryMiB: 4096 } }' },
      ['PRECHECK_FAILED 3'],
      ['memory error'],
    ],
    [
      'refuse to make less of what guards data',
      { facts: {}, checks: '{ severities: { same-cluster: info } }' },
      ['CHECK_MANDATORY 2'],
      [],
    ],
    ['know the names in the file', { facts: {}, checks: '{ ignore: [selinx] }' }, ['UNKNOWN_CHECK 2'], []],
    [
      'judge nothing that only root can read',
      { facts: { isRoot: false, leftovers: ['/x'], identity: { clusterId: 'c9', clusterName: 'other' } } },
      ['PRECHECK_FAILED 3'],
      [
        'privilege-escalation error',
        'same-cluster info',
        'leftovers info',
        'version-unchanged info',
        'product-uuid-unique info',
      ],
    ],
  ])('%s', async (_name, given, failures, told) => {
    expect(await outcomeOf(given)).toEqual({ failures, told });
  });
});
