import { createBlobCalls } from './registry-blobs.ts';
import type { RegistryOptions } from './registry-config.ts';
import { createManifestCalls } from './registry-manifests.ts';
import { createPlaces } from './registry-places.ts';
import { listTags } from './registry-tags.ts';
import type { WritableOciStore } from './store.ts';

/**
 * Remote registries (distribution specification 1.1) as one store: the registry of each reference is asked, its mirrors first for
 * reading. Each request is repeated where that can help; streams are not, see `OciStore`.
 */
export function createRegistryStore(options: RegistryOptions = {}): WritableOciStore {
  const places = createPlaces(options);
  return {
    description: 'the registry',
    isLocal: false,
    ...createManifestCalls(places),
    ...createBlobCalls(places, options.chunkBytes),
    listTags: (name, { signal } = {}) => listTags(places, name, signal),
    close() {
      places.close();
      return Promise.resolve();
    },
  };
}
