import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { addCounts, formatCounts, readVitestCounts, type Counts } from './test-counts.ts';

function countsOf(report: object | undefined, status: number): Counts {
  const folder = mkdtempSync(join(tmpdir(), 'counts-'));
  const file = join(folder, 'report.json');
  if (report !== undefined) writeFileSync(file, JSON.stringify(report));
  const counts = readVitestCounts(file, status);
  rmSync(folder, { recursive: true });
  return counts;
}

const report = { numPassedTests: 5, numFailedTests: 0, numPendingTests: 1, numTodoTests: 1, testResults: [] };
const unloadable = { status: 'failed', assertionResults: [] };

it.each([
  ['a good run', report, 0, { passed: 5, failed: 0, skipped: 2 }],
  ['failed tests', { ...report, numFailedTests: 2 }, 1, { passed: 5, failed: 2, skipped: 2 }],
  ['a file that cannot be loaded', { ...report, testResults: [unloadable] }, 1, { passed: 5, failed: 1, skipped: 2 }],
  ['an error outside of tests', report, 1, { passed: 5, failed: 1, skipped: 2 }],
  ['no report after a crash', undefined, 1, { passed: 0, failed: 1, skipped: 0 }],
  ['no report as there is no test', undefined, 0, { passed: 0, failed: 0, skipped: 0 }],
])('counts %s', (_name, given, status, expected) => {
  expect(countsOf(given, status)).toEqual(expected);
});

it('adds and words counts', () => {
  const sum = addCounts({ passed: 1, failed: 0, skipped: 0 }, { passed: 2, failed: 1, skipped: 0 });

  expect(formatCounts(sum)).toBe('3 passed, 1 failed');
  expect(formatCounts({ ...sum, skipped: 4 })).toBe('3 passed, 1 failed, 4 skipped');
});
