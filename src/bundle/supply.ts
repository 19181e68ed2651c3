import type { Supply } from '../kubernetes/supply.ts';
import { formatReference, parseReference } from '../oci/reference.ts';
import { serveRegistry } from '../oci/serve.ts';
import type { Bundle } from './bundle.ts';
import { filePathOf, filesHandler } from './serve-files.ts';

/** A bundle as the supply of a run: served on a free port of this machine's loopback until it is closed. */
export async function openSupply(
  bundle: Bundle,
  description: string,
): Promise<{ readonly supply: Supply; close(): Promise<void> }> {
  const served = await serveRegistry(bundle.store, { others: filesHandler(bundle) });
  return { supply: { ...findIn(bundle), description, service: served, ports: new Map() }, close: () => served.close() };
}

/** What a bundle has of each name. Pure. */
export function findIn({ manifest }: Pick<Bundle, 'manifest'>): Pick<Supply, 'platforms' | 'imageDigest' | 'file'> {
  const images = new Map<string, string>();
  const files = new Map<string, { readonly path: string; readonly sha256: string }>();
  for (const item of manifest.items) {
    if (item.kind === 'image') images.set(item.name, item.digest);
    else files.set(item.origin, { path: filePathOf(item), sha256: item.digest.slice('sha256:'.length) });
  }
  return {
    platforms: manifest.platforms,
    imageDigest: (image) => images.get(formatReference(parseReference(image))),
    file: (url) => files.get(url),
  };
}
