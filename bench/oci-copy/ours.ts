import { copy } from '../../src/oci/copy.ts';
import { createLayout, openLayout } from '../../src/oci/layout.ts';
import { createRegistryStore } from '../../src/oci/registry.ts';
import { imageCount, imageName } from './images.ts';

/**
 * A process around `copy`: pull REGISTRY DIR, push DIR REGISTRY, or mirror REGISTRY.
 */
const [mode = '', ...args] = process.argv.slice(2);
const registryStore = createRegistryStore({ willPush: mode !== 'pull' });
const [registry = ''] = mode === 'push' ? args.slice(1) : args;
const prefix = { pull: 'src', push: 'pushed', mirror: 'mirror' }[mode] ?? '';
const items = Array.from({ length: imageCount }, (_, index) => ({
  from: imageName(registry, index),
  to: imageName(registry, index, prefix),
}));
const source = mode === 'push' ? await openLayout(args[0] ?? '') : registryStore;
const target = mode === 'pull' ? await createLayout(args[1] ?? '') : registryStore;
const { images } = await copy(source, target, items);
await registryStore.close();
for (const { error } of images) if (error) throw error;
