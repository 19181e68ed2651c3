import { PassThrough } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';
import { expect, it } from 'vitest';
import {
  aptFailure,
  hostFinished,
  phaseStarted,
  record,
  runFinished,
  runStarted,
} from '../../test/support/run-events.ts';
import type { RunEvent } from './events.ts';
import { createTtySink, type TtyOptions } from './tty.ts';

/** A terminal that keeps what is written to it; its descriptor is that of nothing. */
function fakeTerminal(): { stream: TtyOptions['stream']; text: () => string } {
  let text = '';
  const stream = Object.assign(new PassThrough(), { isTTY: true, columns: 100, rows: 40, fd: -1 });
  stream.on('data', (data: Buffer) => (text += data.toString()));
  return { stream: stream as unknown as TtyOptions['stream'], text: () => text };
}

async function screenOf(events: readonly RunEvent[]): Promise<{ raw: string; last: string }> {
  const terminal = fakeTerminal();
  const progress = (text: string): void => void terminal.stream.write(text);
  const sink = createTtySink({
    progress,
    result: () => undefined,
    color: false,
    logFile: () => undefined,
    stream: terminal.stream,
    now: () => Date.parse(events.at(-1)?.time ?? ''),
  });
  for (const event of events) sink.handle(event);
  await new Promise((resolve) => setTimeout(resolve, 250));
  await sink.close();
  const raw = terminal.text();
  // The last frame is what stays on the screen.
  return { raw, last: stripVTControlCharacters(raw.slice(raw.lastIndexOf('\u001B[?2026l'))) };
}

const prepare = 'prepare-hosts';

it('leaves one line for each phase that ended, the report, and the cursor', async () => {
  const { raw, last } = await screenOf(
    record(
      [0, runStarted()],
      [0, phaseStarted(prepare)],
      [9, { type: 'phase.finished', phase: prepare, status: 'changed', durationMs: 9000, changes: 3 }],
      [9, runFinished()],
    ),
  );

  expect(last).toMatch(
    /✔ Prepare the hosts {4}3 changes {2}9\.0 s\n\ncluster-create prod: finished in 1m02s, 3 changes\n/,
  );
  expect(last).not.toContain('Install the runtime');
  expect(raw.lastIndexOf('\u001B[?25h')).toBeGreaterThan(raw.lastIndexOf('\u001B[?25l'));
});

it('marks a phase that failed, and one that was cut off', async () => {
  const { last } = await screenOf(
    record(
      [0, runStarted()],
      [0, phaseStarted(prepare)],
      [1, hostFinished(prepare, 'w1', 0, aptFailure('w1'))],
      [2, { type: 'phase.finished', phase: prepare, status: 'failed', durationMs: 2000, changes: 0 }],
      [2, phaseStarted('install-runtime')],
      [3, runFinished({ status: 'failed' })],
    ),
  );

  expect(last).toContain('✖ Prepare the hosts    failed on w1  2.0 s\n');
  expect(last).toContain('✖ Install the runtime  00:01  0 of 3 hosts done, 0 running\n');
});

it('shows a phase under way, with the footer below', async () => {
  const { raw } = await screenOf(record([0, runStarted()], [0, phaseStarted(prepare)]));

  expect(stripVTControlCharacters(raw)).toMatch(/Prepare the hosts {4}00:00 {2}0 of 3 hosts done/);
  expect(stripVTControlCharacters(raw)).toContain('00:00  0 of 2 phases done, 3 hosts');
});

it('writes nothing for a command that started no run', async () => {
  const { raw } = await screenOf(record([0, { type: 'log', level: 'info', message: 'reading the file' }]));

  expect(raw).toBe('');
});
