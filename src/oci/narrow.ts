import type { Digest } from './digest.ts';
import { toStoredManifest, type StoredManifest } from './manifest.ts';

/**
 * An index of those manifests alone that are chosen, for a registry that takes no index of which manifests are missing. The same index and digests give the same bytes. `index` is returned where nothing is missing. Pure.
 */
export function narrowIndex(index: StoredManifest, chosen: ReadonlySet<Digest>): StoredManifest {
  const value = JSON.parse(Buffer.from(index.bytes).toString()) as { manifests: { digest: Digest }[] };
  const manifests = value.manifests.filter(({ digest }) => chosen.has(digest));
  if (manifests.length === value.manifests.length) return index;
  return toStoredManifest(Buffer.from(JSON.stringify({ ...value, manifests })), index.descriptor.mediaType);
}
