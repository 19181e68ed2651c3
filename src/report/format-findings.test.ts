import { describe, expect, it } from 'vitest';
import { record as recordOf, runFinished, runStarted } from '../../test/support/run-events.ts';
import type { ErrorReport, RunEventBody, Severity } from './events.ts';
import { createPaint } from './format.ts';
import { countFindings, findingRows, formatFindings, withoutFindings } from './format-findings.ts';
import { createRecorder, type RunRecord } from './record.ts';

const paint = createPaint(false);

function finding(check: string, severity: Severity, host: string | undefined, given: object = {}): RunEventBody {
  const texts = {
    title: `${check} is wrong`,
    expected: 'good',
    actual: 'bad',
    evidence: 'nproc: 1',
    remedy: 'mend it',
  };
  return { type: 'check.finding', check, severity, host, ...texts, ignored: false, ...given };
}

const refused: ErrorReport = {
  code: 'SSH_REFUSED',
  host: 'w2',
  message: 'nobody listens',
  remedy: 'start sshd',
  details: [],
};
const failedChecks: ErrorReport = { code: 'PRECHECK_FAILED', message: '1 check failed', details: ['w1: …'] };

function recordFrom(findings: readonly RunEventBody[], errors: readonly ErrorReport[] = []): RunRecord {
  const recorder = createRecorder();
  const end = runFinished({ status: errors.length === 0 ? 'ok' : 'failed', errors });
  const bodies = [runStarted({ workflow: 'precheck' }), ...findings, end];
  for (const event of recordOf(...bodies.map((body) => [0, body] as const))) recorder.add(event);
  return recorder.record();
}

const mixed = recordFrom(
  [
    finding('tmp-usable', 'warning', 'w1'),
    finding('swap-disabled', 'info', 'w1'),
    finding('cpu', 'error', 'w2', { ignored: true }),
    finding('memory', 'error', 'w1', { actual: '512 MiB' }),
    finding('memory', 'error', 'cp1', { actual: '1024 MiB' }),
    finding('tmp-usable', 'warning', 'w2'),
  ],
  [refused, failedChecks],
);

describe('the findings of a precheck', () => {
  it('stand by severity, then by host, with one row for hosts that are alike', () => {
    expect(findingRows(mixed).map(({ severity, hosts, check }) => `${severity} ${hosts.join('+')} ${check}`)).toEqual([
      'error cp1 memory',
      'error w1 memory',
      'error w2 SSH_REFUSED',
      'warning w1+w2 tmp-usable',
      'info w1 swap-disabled',
      'error w2 cpu',
    ]);
    expect(countFindings(findingRows(mixed))).toBe('3 errors, 1 warning, 1 for information, 1 ignored');
  });

  it('are a table, and below it once what to do', () => {
    expect(formatFindings(mixed, paint))
      .toBe(`Checks of cluster prod, 3 hosts: 3 errors, 1 warning, 1 for information, 1 ignored

SEVERITY        HOST    CHECK          FOUND
error           cp1     memory         1024 MiB
error           w1      memory         512 MiB
error           w2      SSH_REFUSED    nobody listens
warning         w1, w2  tmp-usable     bad
info            w1      swap-disabled  bad
error, ignored  w2      cpu            bad

memory: memory is wrong
  read on cp1: nproc: 1
  expected: good
  do: mend it
SSH_REFUSED: The host could not be looked at
  do: start sshd
tmp-usable: tmp-usable is wrong
  read on w1: nproc: 1
  expected: good
  do: mend it
swap-disabled: swap-disabled is wrong
  expected: good
  do: mend it
cpu: cpu is wrong
  expected: good
  do: mend it
`);
  });

  it('show what was read in one line, shortened where it is long', () => {
    const long = `ip -o addr show: ${'x'.repeat(200)}`;
    const text = formatFindings(
      recordFrom([
        finding('memory', 'error', 'cp1', { evidence: '/proc/meminfo:\u001B[2J MemTotal:\n1 kB' }),
        finding('address-valid', 'error', 'w1', { evidence: long }),
      ]),
      paint,
    );

    expect(text).toContain('\n  read on cp1: /proc/meminfo: MemTotal: 1 kB\n');
    expect(text).toContain(`\n  read on w1: ${long.slice(0, 99)}…\n`);
  });

  it('are none on good hosts', () => {
    expect(formatFindings(recordFrom([]), paint)).toBe('Checks of cluster prod, 3 hosts: nothing was found\n');
  });

  it('are not called none where the checks were not made', () => {
    const error: ErrorReport = { code: 'UNKNOWN_CHECK', message: 'there is no check x', details: [] };

    expect(formatFindings(recordFrom([], [error]), paint)).toContain('did not come to their end');
  });

  it('cannot bring control characters or lines of their own to the terminal', () => {
    const text = formatFindings(
      recordFrom([finding('hosts-file', 'warning', 'w1', { actual: 'a\u001B[2Jb\nc' })]),
      paint,
    );

    expect(text).toContain('hosts-file  ab c\n');
  });

  it('are not told again by the summary, and other errors are', () => {
    const other: ErrorReport = { code: 'CATALOG', message: 'no such version', details: [] };
    const rest = withoutFindings(recordFrom([finding('cpu', 'error', 'w1')], [refused, failedChecks, other]));

    expect(rest.findings).toEqual([]);
    expect(rest.finished?.errors).toEqual([other]);
  });
});
