import { InternalError } from '../errors.ts';
import type { Architecture } from '../artifacts/catalog.ts';
import { digestOf, type Digest } from '../oci/digest.ts';
import { aptPackagePath, renderAptRepository } from '../packages/apt/render.ts';
import { renderRpmRepository, rpmPackagePath } from '../packages/rpm/render.ts';
import type { RepositoryKey } from '../packages/signing.ts';
import type { PackageSet, RepositoryFile, ResolvedPackage } from '../packages/types.ts';
import type { BlobSource } from './write-bundle.ts';
import { bundleSuite, repositoryName, repositoryPath } from './package-places.ts';
import type { BundleItem, Pin } from './manifest.ts';
import { memorySource } from './sources.ts';

/** What was found for one release and architecture. */
export interface FoundPackages {
  readonly distribution: { readonly id: string; readonly version: string };
  readonly architecture: Architecture;
  readonly set: PackageSet;
  /** Who asked for each name of the request, one sentence each. */
  readonly askers: ReadonlyMap<string, readonly string[]>;
  readonly pinOf: (item: ResolvedPackage) => Pin;
  /** Public keys of the vendor, armored: hosts of the rpm family check each package with them. */
  readonly vendorKeys: readonly string[];
}

/** Indexes bear one date in every bundle: the same packages give the same bytes, and apt goes back to an older bundle too. */
const indexDateMs = Date.UTC(2000, 0, 1);

/**
 * The packages as items, each once: one that several releases or architectures have is one item with a path in the repository of
 * each. Pure.
 */
export function packageItems(
  found: readonly FoundPackages[],
): readonly { readonly item: BundleItem; readonly url: string }[] {
  const items = new Map<string, { readonly item: BundleItem; readonly url: string }>();
  for (const one of found) {
    for (const resolved of one.set.packages) {
      const item = toItem(one, resolved);
      const key = [item.name, item.version, item.architecture, item.digest].join(' ');
      const known = items.get(key);
      items.set(key, known === undefined ? { item, url: resolved.url } : { ...known, item: unite(known.item, item) });
    }
  }
  const entries = [...items.values()];
  refuseSharedPaths(entries.map(({ item }) => item));
  return entries;
}

function toItem(found: FoundPackages, resolved: ResolvedPackage): BundleItem {
  const { distribution, architecture, set, askers, pinOf } = found;
  const { name, version, url, sizeBytes, reason, requestedAs } = resolved;
  const digest: Digest = `sha256:${resolved.sha256}`;
  const release = `${distribution.id} ${distribution.version}`;
  const why = requestedAs.flatMap((word) => askers.get(word) ?? []);
  const path = set.family === 'apt' ? aptPackagePath(resolved) : rpmPackagePath(resolved);
  return {
    kind: 'package',
    name,
    version,
    platforms: [`linux/${architecture}`],
    why: (why.length === 0 ? [`needed by ${reason}`] : why).map((text) => `${release}: ${text}`),
    digest,
    sizeBytes,
    origin: url,
    pin: pinOf(resolved),
    architecture: resolved.architecture,
    provides: requestedAs.filter((word) => word !== name),
    paths: [repositoryPath(repositoryName(distribution, architecture), path)],
    blobs: [digest],
  };
}

function unite(a: BundleItem, b: BundleItem): BundleItem {
  const both = (key: 'platforms' | 'why' | 'provides' | 'paths'): string[] => [
    ...new Set([...(a[key] ?? []), ...(b[key] ?? [])]),
  ];
  return {
    ...a,
    ...{ platforms: both('platforms'), why: both('why'), provides: both('provides'), paths: both('paths') },
    // Whoever does not vouch for it decides.
    pin: a.pin === b.pin ? a.pin : 'published',
  };
}

/** Two different packages cannot lie in one place. */
function refuseSharedPaths(items: readonly BundleItem[]): void {
  const taken = new Map<string, BundleItem>();
  for (const item of items) {
    for (const path of item.paths ?? []) {
      const other = taken.get(path);
      if (other !== undefined) throw new InternalError(`${other.origin} and ${item.origin} would both be ${path}`);
      taken.set(path, item);
    }
  }
}

/** What apt or dnf reads of each repository, as items whose bytes are at hand. Signed where a key is given. */
export async function indexItems(
  found: readonly FoundPackages[],
  key: RepositoryKey | undefined,
): Promise<readonly { readonly item: BundleItem; readonly source: BlobSource }[]> {
  const all = await Promise.all(
    found.map(async (one) => {
      const repository = repositoryName(one.distribution, one.architecture);
      const files = [...(await render(one, repository, key)), ...keyFile(one, key)];
      return files.map(({ path, content }) => {
        const blob = { digest: digestOf(content), sizeBytes: content.length };
        const item: BundleItem = {
          kind: 'package-index',
          name: `${repository}/${path}`,
          platforms: [`linux/${one.architecture}`],
          why: [`${one.set.family === 'apt' ? 'apt' : 'dnf'} finds the packages of ${repository} by it`],
          ...blob,
          origin: 'made with the bundle',
          pin: 'local',
          paths: [repositoryPath(repository, path)],
          blobs: [blob.digest],
        };
        return { item, source: memorySource(content, blob, item.name) };
      });
    }),
  );
  return all.flat();
}

function render({ set }: FoundPackages, label: string, key: RepositoryKey | undefined): Promise<RepositoryFile[]> {
  const common = { dateMs: indexDateMs, ...(key === undefined ? {} : { key }) };
  if (set.family === 'rpm') return renderRpmRepository({ packages: set.packages, ...common });
  return renderAptRepository({ sets: [set], suite: bundleSuite, label, ...common });
}

/** Everything that hosts check the repository with, in one file. */
function keyFile({ set, vendorKeys }: FoundPackages, key: RepositoryKey | undefined): RepositoryFile[] {
  const keys = [...(key === undefined ? [] : [key.publicKey]), ...(set.family === 'rpm' ? vendorKeys : [])];
  if (keys.length === 0) return [];
  const text = keys.map((armored) => `${armored.replaceAll('\r\n', '\n').trimEnd()}\n`).join('');
  return [{ path: 'key.asc', content: Buffer.from(text) }];
}
