import { expect, it } from 'vitest';
import { selectOutput, type OutputChoice, type OutputRequest } from './select-sinks.ts';

const terminal: OutputRequest = {
  output: 'auto',
  debug: false,
  color: true,
  stderrIsTty: true,
  env: { TERM: 'xterm-256color' },
};

const cases: readonly (readonly [string, Partial<OutputRequest>, OutputChoice])[] = [
  ['a terminal', {}, { mode: 'tty', color: true }],
  ['a pipe', { stderrIsTty: false }, { mode: 'plain', color: false }],
  ['a dumb terminal', { env: { TERM: 'dumb' } }, { mode: 'plain', color: false }],
  ['--debug', { debug: true }, { mode: 'plain', color: true }],
  ['--output json', { output: 'json' }, { mode: 'json', color: true }],
  ['--output plain', { output: 'plain' }, { mode: 'plain', color: true }],
  ['--output tty without a terminal', { output: 'tty', stderrIsTty: false }, { mode: 'tty', color: false }],
  ['--no-color', { color: false }, { mode: 'tty', color: false }],
  ['NO_COLOR', { env: { NO_COLOR: '1' } }, { mode: 'tty', color: false }],
  ['an empty NO_COLOR', { env: { NO_COLOR: '' } }, { mode: 'tty', color: true }],
];

it.each(cases)('chooses for %s', (_name, given, expected) => {
  expect(selectOutput({ ...terminal, ...given })).toEqual(expected);
});
