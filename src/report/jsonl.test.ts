import { expect, it } from 'vitest';
import { record, runFinished, runStarted } from '../../test/support/run-events.ts';
import { createJsonlSink } from './jsonl.ts';

it('writes each event as one line of JSON', async () => {
  const events = record([0, runStarted()], [1, runFinished({ next: ['two\nlines'] })]);
  let written = '';
  const sink = createJsonlSink((text) => (written += text));
  for (const event of events) sink.handle(event);
  await sink.close();

  const lines = written.trimEnd().split('\n');
  expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual(events);
});
