import { join } from 'node:path';
import { expect, it } from 'vitest';
import { renderChecksDocs } from './docs.ts';
import { checks } from './index.ts';

it('is current in docs/checks.md (vitest -u writes it)', async () => {
  await expect(renderChecksDocs(checks)).toMatchFileSnapshot(join(import.meta.dirname, '../../docs/checks.md'));
});

it('has a source for every check, and sentences that end once', () => {
  for (const { id, expected, remedy, source } of checks) {
    expect(source.length, id).toBeGreaterThan(10);
    expect([expected, remedy, source].filter((text) => text.endsWith('.'))).toEqual([]);
  }
});
