import { expect, it } from 'vitest';
import { aptFailure, hostFinished, record, runFinished, runStarted } from '../../test/support/run-events.ts';
import type { RunEventBody } from './events.ts';
import { createPaint } from './format.ts';
import { formatSummary } from './format-summary.ts';
import { createRecorder } from './record.ts';

function summaryOf(logFile: string | undefined, ...bodies: readonly RunEventBody[]): string {
  const recorder = createRecorder();
  for (const event of record(...bodies.map((body) => [1, body] as const))) recorder.add(event);
  return formatSummary(recorder.record(), logFile, createPaint(false));
}

function swapOn(host: string): RunEventBody {
  return {
    type: 'check.finding',
    check: 'swap-disabled',
    severity: 'error',
    host,
    title: 'swap is on',
    expected: 'no swap',
    actual: '/dev/sda2',
    evidence: '/proc/swaps: /dev/sda2 partition 8388604 0 -2',
    remedy: 'swapoff -a',
    ignored: false,
  };
}

it('tells what was changed, how long it took, what to do next and where the log is', () => {
  const phases = [
    { id: 'prepare-hosts', status: 'changed', durationMs: 41_000, changes: 3 },
    { id: 'install-runtime', status: 'ok', durationMs: 900, changes: 0 },
  ] as const;

  expect(summaryOf('/log.jsonl', runStarted(), runFinished({ phases, next: ['kubectl get nodes'] })))
    .toBe(`cluster-create prod: finished in 1m02s, 3 changes

  prepare-hosts       41 s  3 changes
  install-runtime    0.9 s  no change

Next:
  kubectl get nodes

Log: /log.jsonl
`);
});

it('tells a failure once for all its hosts, with what to do and the end of the output', () => {
  const text = summaryOf(
    undefined,
    runStarted(),
    hostFinished('install-runtime', 'w1', 0, aptFailure('w1')),
    hostFinished('install-runtime', 'w2', 0, aptFailure('w2')),
    runFinished({ status: 'failed', errors: [aptFailure('w1')] }),
  );

  expect(text).toContain('cluster-create prod: failed in 1m02s');
  expect(text).toContain(`Failures:
  Error: w1, w2: apt-get ended with exit code 100 [COMMAND_FAILED]
    do: Make the package source reachable.
    on w1:
    | $ apt-get install -y containerd
    | E: Unable to locate package containerd
`);
});

it('tells a finding once for all its hosts, errors first', () => {
  const ignored: RunEventBody = {
    type: 'check.finding',
    check: 'memory-size',
    severity: 'warning',
    title: 'too little memory',
    evidence: '/proc/meminfo: MemTotal: 1 kB',
    ignored: true,
  };

  expect(summaryOf(undefined, runStarted(), ignored, swapOn('cp1'), swapOn('w1'))).toContain(`Findings:
  error: swap-disabled: swap is on (cp1, w1)
    wanted no swap, found /dev/sda2
    do: swapoff -a
  warning, ignored: memory-size: too little memory
`);
});

it('tells each warning once', () => {
  const warning: RunEventBody = { type: 'log', level: 'warning', host: 'w1', message: 'clock is off' };

  expect(summaryOf(undefined, runStarted(), warning, warning)).toContain('Warnings:\n  - w1: clock is off\n');
});

it('says so where the run ended before its end was told', () => {
  expect(summaryOf(undefined, runStarted())).toBe('cluster-create prod: ended before it was done\n');
});

it('says that changes are only planned on a dry run', () => {
  expect(summaryOf(undefined, runStarted({ dryRun: true }), runFinished())).toContain('3 changes planned');
});
