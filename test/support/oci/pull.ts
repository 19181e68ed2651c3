import { copy } from '../../../src/oci/copy.ts';
import { createLayout } from '../../../src/oci/layout.ts';
import { parseReference } from '../../../src/oci/reference.ts';
import { createRegistryStore } from '../../../src/oci/registry.ts';

/** A process of its own that copies an image from a registry into a layout: FROM DIR TO. For tests that kill it. */
const [from = '', dir = '', to = ''] = process.argv.slice(2);
const source = createRegistryStore();
const result = await copy(source, await createLayout(dir), [{ from: parseReference(from), to: parseReference(to) }], {
  jobs: 2,
});
await source.close();
for (const { error } of result.images) if (error) process.stderr.write(`${error.message}\n`);
process.exitCode = result.images.every(({ error }) => error === undefined) ? 0 : 4;
