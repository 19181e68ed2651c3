import { expect, it } from 'vitest';
import { parseFsync } from './fsync-probe.ts';

const line = (seconds: string): string => `copied, ${seconds} s`;

it.each([
  ['nothing', '', undefined],
  ['one time', line('0.00123'), 1.23],
  ['a small one', line('9.8e-05'), 0.098],
  ['a hundred, of which one is slow', [...Array<string>(99).fill(line('0.002')), line('0.5')].join('\n'), 2],
  [
    'a hundred, of which two are slow',
    [...Array<string>(98).fill(line('0.002')), line('0.4'), line('0.5')].join('\n'),
    400,
  ],
])('the slowest hundredth of %s', (_name, text, expected) => {
  expect(parseFsync(text)).toBe(expected);
});
