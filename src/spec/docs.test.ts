import { join } from 'node:path';
import { expect, it } from 'vitest';
import { renderClusterFileDocs } from './docs.ts';
import { listFields } from './fields.ts';
import { clusterFileSchema } from './schema.ts';

it('is current in docs/cluster-file.md (vitest -u writes it)', async () => {
  await expect(renderClusterFileDocs()).toMatchFileSnapshot(join(import.meta.dirname, '../../docs/cluster-file.md'));
});

it('has a meaning for every field', () => {
  expect(listFields(clusterFileSchema).filter(({ description }) => description === '')).toEqual([]);
});
