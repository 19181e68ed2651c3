import { readAll, verifying } from '../oci/verify.ts';
import type { Supply, SuppliedPackages } from '../kubernetes/supply.ts';
import { formatReference, parseReference } from '../oci/reference.ts';
import { serveRegistry } from '../oci/serve.ts';
import type { Bundle } from './bundle.ts';
import { bundleSuite, repositoriesIn, repositoryPath } from './package-places.ts';
import { describeServedDamage, filePathOf, filesHandler } from './serve-files.ts';

/**
 * A bundle as the supply of a run: served on a free port of this machine's loopback until it is closed. `onDamaged` is told of each blob that
 * hosts could not be given, for all that they see of it is a connection that ends.
 */
export async function openSupply(
  bundle: Bundle,
  description: string,
  onDamaged: (message: string) => void,
): Promise<{ readonly supply: Supply; close(): Promise<void> }> {
  const packages = await packagesIn(bundle);
  const unproven = repositoriesIn(bundle.manifest.items).filter((name) => !packages.has(name));
  const served = await serveRegistry(bundle.store, {
    others: filesHandler(bundle),
    onDamaged: (error) => onDamaged(describeServedDamage(bundle.path, error)),
  });
  const supply: Supply = {
    ...findIn(bundle),
    description,
    service: served,
    ports: new Map(),
    packages: (name) => packages.get(name),
    notes: unproven.map(
      (name) =>
        `the packages of ${name} are left alone, and hosts take packages from their own repositories: the bundle was made without --repository-key, so apt cannot prove them`,
    ),
  };
  return { supply, close: () => served.close() };
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

const maxKeyBytes = 1024 * 1024;

/** Repositories whose packages hosts can prove, by name: those of apt by a signed index, those of rpm by the keys of their vendor, too. */
async function packagesIn(bundle: Bundle): Promise<ReadonlyMap<string, SuppliedPackages>> {
  const { items } = bundle.manifest;
  const itemAt = (path: string): (typeof items)[number] | undefined =>
    items.find(({ paths = [] }) => paths.includes(path));
  const found = new Map<string, SuppliedPackages>();
  for (const name of repositoriesIn(items)) {
    const isApt = itemAt(repositoryPath(name, `dists/${bundleSuite}/Release`)) !== undefined;
    const key = itemAt(repositoryPath(name, 'key.asc'));
    const isSigned =
      itemAt(repositoryPath(name, isApt ? `dists/${bundleSuite}/InRelease` : 'repodata/repomd.xml.asc')) !== undefined;
    if (key === undefined || (isApt && !isSigned)) continue;
    const stream = verifying(bundle.openBlob(key), key, bundle.path);
    found.set(name, {
      path: repositoryPath(name),
      key: (await readAll(stream, maxKeyBytes, key.name, bundle.path)).toString(),
      suites: isApt ? [bundleSuite] : [],
      components: isApt ? ['main'] : [],
      signedIndex: !isApt && isSigned,
    });
  }
  return found;
}
