import { expect, it } from 'vitest';
import { diffExitCode } from './diff.ts';

it.each([
  [0, false, 0],
  [0, true, 6],
  [2, false, 2],
  [3, false, 3],
  [3, true, 3],
  [4, false, 4],
  [4, true, 6],
  [5, false, 4],
  [5, true, 6],
  [130, true, 130],
] as const)('makes of exit code %i, where something differs: %s, the code %i', (exitCode, differs, expected) => {
  expect(diffExitCode(exitCode, differs)).toBe(expected);
});
