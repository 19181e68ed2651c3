import { copy } from '../../../src/oci/copy.ts';
import { openLayout } from '../../../src/oci/layout.ts';
import { parseReference } from '../../../src/oci/reference.ts';
import { createRegistryStore } from '../../../src/oci/registry.ts';

/** A process of its own that copies an image from a layout into a registry: DIR FROM TO. For tests that kill it. */
const [dir = '', from = '', to = ''] = process.argv.slice(2);
const target = createRegistryStore();
const result = await copy(await openLayout(dir), target, [{ from: parseReference(from), to: parseReference(to) }], {
  jobs: 2,
});
await target.close();
for (const { error } of result.images) if (error) process.stderr.write(`${error.message}\n`);
process.exitCode = result.images.every(({ error }) => error === undefined) ? 0 : 4;
