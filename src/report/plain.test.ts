import { expect, it } from 'vitest';
import {
  aptFailure,
  hostFinished,
  hostStarted,
  phaseStarted,
  record,
  runFinished,
  runStarted,
  stepApplied,
} from '../../test/support/run-events.ts';
import type { RunEvent, RunEventBody } from './events.ts';
import { createPlainSink } from './plain.ts';

async function linesOf(events: readonly RunEvent[], debug = false): Promise<{ progress: string; result: string }> {
  const written = { progress: '', result: '' };
  const sink = createPlainSink({
    progress: (text) => (written.progress += text),
    result: (text) => (written.result += text),
    color: false,
    debug,
    logFile: () => '/log.jsonl',
  });
  for (const event of events) sink.handle(event);
  await sink.close();
  return written;
}

const runtime = 'install-runtime';

it('tells a run line by line, with the time since its start, and leaves out hosts without changes', async () => {
  const { progress, result } = await linesOf(
    record(
      [0, runStarted()],
      [1, phaseStarted(runtime)],
      [1, hostStarted(runtime, 'w1')],
      [2, stepApplied(runtime, 'w1', 'install containerd 2.1.4')],
      [3, hostFinished(runtime, 'w1', 1)],
      [3, hostFinished(runtime, 'w2', 0)],
      [75, { type: 'phase.finished', phase: runtime, status: 'changed', durationMs: 74_000, changes: 1 }],
      [75, runFinished()],
    ),
  );

  expect(progress.split('\n\n')[0]).toBe(
    [
      '00:00 cluster-create prod: 3 hosts, 2 phases (installer 1.2.3, run 0a1b2c3d)',
      '00:01 install-runtime: started on cp1, w1, w2',
      '00:02 install-runtime: w1: install containerd 2.1.4',
      '00:03 install-runtime: w1: 1 change in 1.5 s',
      '01:15 install-runtime: 1 change in 1m14s',
    ].join('\n'),
  );
  expect(progress).toContain('Log: /log.jsonl');
  expect(result).toBe('');
});

it('tells a failure when it happens, with the end of the output', async () => {
  const error = aptFailure('w1');
  const failed: RunEventBody = { type: 'step.failed', phase: runtime, host: 'w1', step: 'packages', error };
  const { progress } = await linesOf(record([0, runStarted()], [2, failed]));

  expect(progress).toContain(
    [
      '00:02 install-runtime: w1: packages failed',
      '      Error: w1: apt-get ended with exit code 100 [COMMAND_FAILED]',
      '        do: Make the package source reachable.',
      '        | $ apt-get install -y containerd',
      '        | E: Unable to locate package containerd',
    ].join('\n'),
  );
});

it('tells what repeats only every half minute', async () => {
  const waiting = (elapsedMs: number): RunEventBody => ({
    type: 'condition.waiting',
    condition: 'api-server',
    description: 'the API server',
    elapsedMs,
    lastError: 'connection refused',
  });
  const transfer = (doneBytes: number): RunEventBody => ({
    type: 'transfer.progress',
    host: 'w1',
    item: 'kubelet',
    doneBytes,
    totalBytes: 2048,
  });
  const { progress } = await linesOf(
    record(
      [0, waiting(0)],
      [1, transfer(0)],
      [2, transfer(1024)],
      [3, transfer(2048)],
      [10, waiting(10_000)],
      [31, waiting(31_000)],
      [32, { type: 'condition.met', condition: 'api-server', description: 'the API server', elapsedMs: 32_000 }],
    ),
  );

  expect(progress.trimEnd().split('\n')).toEqual([
    '00:00 waiting for the API server (0.0 s): connection refused',
    '00:01 w1: kubelet: 0 B of 2.0 KiB',
    '00:03 w1: kubelet: 2.0 KiB of 2.0 KiB',
    '00:31 waiting for the API server (31 s): connection refused',
    '00:32 the API server: yes, after 32 s',
  ]);
});

it('shows commands and debug lines only when asked', async () => {
  const events = record(
    [0, { type: 'log', level: 'debug', host: 'w1', message: 'attempt 1' }],
    [
      1,
      {
        type: 'command.finished',
        host: 'w1',
        summary: 'look at the host',
        durationMs: 190,
        exitCode: 0,
        bytesSent: 1,
        bytesReceived: 1,
      },
    ],
  );

  expect((await linesOf(events)).progress).toBe('');
  expect((await linesOf(events, true)).progress).toBe(
    '00:00 debug: w1: attempt 1\n00:01 w1: look at the host: exit 0 in 0.1 s\n',
  );
});

it('gives the plan of a dry run as the result', async () => {
  const { progress, result } = await linesOf(
    record([0, runStarted({ dryRun: true })], [1, runFinished({ changes: 0 })]),
  );

  expect(result).toMatch(/^Plan for cluster prod/);
  expect(progress).not.toContain('Plan for');
});
