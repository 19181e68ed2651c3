import { join } from 'node:path';
import { expect, it } from 'vitest';
import { expectedOf } from './check.ts';
import { renderChecksDocs } from './docs.ts';
import { checks } from './index.ts';
import { notMade } from './not-made.ts';

it('is current in docs/checks.md (vitest -u writes it)', async () => {
  await expect(renderChecksDocs(checks, notMade)).toMatchFileSnapshot(
    join(import.meta.dirname, '../../docs/checks.md'),
  );
});

it('has a source for every check, and sentences that end once', () => {
  for (const check of checks) {
    const { id, remedy, source } = check;
    expect(source.length, id).toBeGreaterThan(10);
    expect([expectedOf(check), remedy, source].filter((text) => text.endsWith('.'))).toEqual([]);
  }
});

it('does not call a check not made that is made', () => {
  const made = new Set(checks.map(({ id }) => id));

  const ids = notMade.flatMap((row) => row.ids);

  expect(ids.filter((id) => made.has(id))).toEqual([]);
  expect(new Set(ids).size).toBe(ids.length);
  expect(notMade.filter(({ why }) => why.length < 20 || why.endsWith('.'))).toEqual([]);
});
