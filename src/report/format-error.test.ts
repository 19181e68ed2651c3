import { expect, it } from 'vitest';
import { InstallerError, InstallerErrors, InternalError } from '../errors.ts';
import { formatDefect, formatErrors, reportsOf, stackOf } from './format-error.ts';
import { createPaint } from './format.ts';

const paint = createPaint(false);

it('reports one error, several errors, and no defect', () => {
  const error = new InstallerError({ code: 'A', message: 'a' });

  expect(reportsOf(error)).toHaveLength(1);
  expect(reportsOf(new InstallerErrors([error, error]))).toHaveLength(2);
  expect(reportsOf(new InternalError('a'))).toEqual([]);
});

it('keeps errors apart that differ in more than their host', () => {
  const errors = ['a', 'b'].map((message) => ({ code: 'A', message, host: 'w1', details: [] }));

  expect(formatErrors(errors, paint)).toBe('Error: w1: a [A]\nError: w1: b [A]');
});

it('lets no control character of a host reach the terminal', () => {
  const error = { code: 'A', message: 'a\u001B[2J', host: 'w1', details: ['\u001B[31mE:\u0007 x'] };

  expect(formatErrors([error], paint)).toBe('Error: w1: a [A]\n  | E: x');
});

it('calls a defect by its name and points to the log', () => {
  expect(formatDefect(new InternalError('no such phase'), '/log.jsonl', paint)).toBe(
    'Error: this is a defect of the installer: no such phase [INTERNAL]\n' +
      '  do: report it with the log, which holds the details: /log.jsonl',
  );
});

it('shows the stack of a defect where there is no log', () => {
  expect(formatDefect(new InternalError('no such phase'), undefined, paint)).toContain(
    '  | InternalError: no such phase\n',
  );
});

it('holds the stacks of the causes', () => {
  const error = new InternalError('outer', { cause: new TypeError('inner') });

  expect(stackOf(error)).toMatch(/InternalError: outer[\s\S]*caused by: TypeError: inner/);
});
