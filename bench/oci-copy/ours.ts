import { copy } from '../../src/oci/copy.ts';
import { createLayout, openLayout } from '../../src/oci/layout.ts';
import { createRegistryStore } from '../../src/oci/registry.ts';
import { imageCount, imageName } from './images.ts';

/**
 * The process that is measured: pull REGISTRY DIR, push DIR REGISTRY SOURCE, or mirror REGISTRY PREFIX. Prints what it did as JSON.
 */
const [mode = '', ...args] = process.argv.slice(2);
let requests = 0;
const registryStore = createRegistryStore({
  willPush: mode !== 'pull',
  onRequest: () => {
    requests += 1;
  },
});
const indexes = Array.from({ length: imageCount }, (_, index) => index);
const jobs = Number(process.env['JOBS'] ?? 4);
let result;
if (mode === 'pull') {
  const [registry = '', dir = ''] = args;
  const items = indexes.map((index) => ({ from: imageName(registry, index), to: imageName(registry, index) }));
  result = await copy(registryStore, await createLayout(dir), items, { jobs });
} else if (mode === 'push') {
  const [dir = '', registry = '', source = ''] = args;
  const items = indexes.map((index) => ({ from: imageName(source, index), to: imageName(registry, index, 'pushed') }));
  result = await copy(await openLayout(dir), registryStore, items, { jobs });
} else {
  const [registry = '', prefix = ''] = args;
  const items = indexes.map((index) => ({ from: imageName(registry, index), to: imageName(registry, index, prefix) }));
  result = await copy(registryStore, registryStore, items, { jobs });
}
await registryStore.close();
const failed = result.images.find(({ error }) => error);
if (failed?.error) throw failed.error;
process.stdout.write(JSON.stringify({ requests, blobs: result.blobs, peakMb: process.resourceUsage().maxRSS / 1000 }));
