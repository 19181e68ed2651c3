import { EventEmitter } from 'node:events';
import { expect, it } from 'vitest';
import { InstallerError } from '../errors.ts';
import { handleSignals, type SignalHandling } from './signals.ts';

function handle(): { source: EventEmitter; left: (readonly [number, string])[]; handling: SignalHandling } {
  const source = new EventEmitter();
  const left: (readonly [number, string])[] = [];
  const handling = handleSignals(source as NodeJS.Process, (exitCode, text) => left.push([exitCode, text]));
  return { source, left, handling };
}

it.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
])('the first %s asks the run to end, with the exit code %i as the reason', (name, exitCode) => {
  const { source, left, handling } = handle();
  source.emit(name);

  expect(handling.signal.reason).toBeInstanceOf(InstallerError);
  expect(handling.signal.reason).toMatchObject({ code: 'INTERRUPTED', exitCode });
  expect(left).toEqual([]);
});

it('the second leaves at once and names the hosts on which something may run on', () => {
  const { source, left, handling } = handle();
  handling.setBusyHosts(() => ['w1', 'w2']);
  source.emit('SIGTERM');
  source.emit('SIGINT');

  expect(left).toEqual([[130, expect.stringContaining('May still be running on w1, w2.')]]);
});
