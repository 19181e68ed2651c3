import { join } from 'node:path';
import { expect, it } from 'vitest';
import { hostSettings } from '../spec/schema-host-settings.ts';
import { renderTuningDocs } from './docs.ts';
import { tunings } from './index.ts';

it('is current in docs/tuning.md (vitest -u writes it)', async () => {
  await expect(renderTuningDocs(tunings)).toMatchFileSnapshot(join(import.meta.dirname, '../../docs/tuning.md'));
});

it('has sentences that end once, and a source for every change', () => {
  for (const { id, byDefault, change, why, source, undo } of tunings) {
    expect(source.length, id).toBeGreaterThan(10);
    expect([byDefault, change, why, source, undo].filter((text) => text.endsWith('.'))).toEqual([]);
  }
});

it('has every setting of the cluster file, and no other', () => {
  const documented = tunings.flatMap(({ setting }) => setting?.split(', ') ?? []);

  expect([...new Set(documented)].sort()).toEqual(Object.keys(hostSettings.shape).sort());
});
