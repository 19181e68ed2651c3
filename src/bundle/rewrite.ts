import type { KeyObject } from 'node:crypto';
import { programVersion } from '../assets.ts';
import { InstallerErrors } from '../errors.ts';
import type { BlobDescriptor } from '../oci/manifest.ts';
import { openBundle, type Bundle } from './bundle.ts';
import { bundleUsage } from './bundle-errors.ts';
import { draftOf, sbomSource } from './create.ts';
import { formatItem } from './format-item.ts';
import { itemKey, type BundleItem, type BundleManifest } from './manifest.ts';
import { writeBundle, type BlobSource, type WriteOptions, type WriteResult } from './write-bundle.ts';

/** From disk to disk: more at once takes memory and is no faster. */
const rewriteJobs = 2;

export interface JudgeOptions {
  /** Throws where a bundle must not be used, before anything of it is. */
  readonly judge?: ((bundle: Bundle) => void) | undefined;
}

/** Every blob of bundles that are open; each is verified on its way. */
function sourcesOf(bundles: readonly Bundle[]): BlobSource[] {
  return bundles.flatMap((bundle) =>
    bundle.manifest.blobs.map((blob) => ({
      blob,
      from: { registry: 'localhost', repository: bundle.path },
      open: (startByte: number, { signal }: { readonly signal?: AbortSignal | undefined }) =>
        Promise.resolve(bundle.openBlob(blob, { startByte, signal })),
    })),
  );
}

/** Opens bundles and judges them (their signatures, say), and closes them when the work is over. */
async function withBundles<T>(
  paths: readonly string[],
  judge: ((bundle: Bundle) => void) | undefined,
  work: (bundles: readonly Bundle[]) => Promise<T>,
): Promise<T> {
  const bundles: Bundle[] = [];
  try {
    for (const path of paths) {
      const bundle = await openBundle(path);
      bundles.push(bundle);
      judge?.(bundle);
    }
    return await work(bundles);
  } finally {
    await Promise.all(bundles.map((bundle) => bundle.close()));
  }
}

/** Makes one file out of parts, or parts out of one file: the bytes are the same. Every blob is verified on its way. */
export async function recutBundle(
  from: string,
  options: Omit<WriteOptions, 'signKey'> & JudgeOptions,
): Promise<WriteResult> {
  return withBundles([from], options.judge, async ([bundle]) => {
    if (bundle === undefined) throw new RangeError('no bundle');
    return writeBundle(bundle.manifest, sourcesOf([bundle]), {
      jobs: rewriteJobs,
      ...options,
      signature: bundle.signature,
    });
  });
}

/**
 * Makes one bundle of two. A delta and its base, in either order, give the bundle that the delta stands for, byte for byte. Of others
 * everything is kept: items of both, and the platforms of an image that both have. BUNDLE_MERGE_CONFLICT where one name stands for two
 * things, BUNDLE_BASE_WRONG where a delta is merged with another bundle than its base.
 */
export async function mergeBundles(
  paths: readonly [string, string],
  options: WriteOptions & JudgeOptions & { readonly signKey?: KeyObject | undefined },
): Promise<WriteResult> {
  return withBundles(paths, options.judge, async (bundles) => {
    const [a, b] = bundles;
    if (a === undefined || b === undefined) throw new RangeError('two bundles are merged');
    const { draft, sources } = merge(a, b);
    const needed = new Set(draft.blobs.map(({ digest }) => digest));
    const all = [...sources, ...sourcesOf(bundles)];
    return writeBundle(
      draft,
      all.filter(({ blob }) => needed.has(blob.digest)),
      { jobs: rewriteJobs, ...options },
    );
  });
}

type Draft = Omit<BundleManifest, 'index'>;

/** A manifest, and the sources of blobs that none of the bundles has. */
interface Merged {
  readonly draft: Draft;
  readonly sources: readonly BlobSource[];
}

function merge(a: Bundle, b: Bundle): Merged {
  if (a.manifest.base !== undefined) return { draft: applyDelta(a, b), sources: [] };
  if (b.manifest.base !== undefined) return { draft: applyDelta(b, a), sources: [] };
  return unite(a, b);
}

function applyDelta(delta: Bundle, base: Bundle): Draft {
  const { base: wanted, ...rest } = delta.manifest;
  if (wanted?.manifest !== base.manifestDigest) {
    throw bundleUsage(
      'BASE_WRONG',
      `${base.path} is not what ${delta.path} was made against: that is the bundle ${wanted?.manifest ?? ''}, this one is ${base.manifestDigest}`,
      'give the bundle that was given to --delta-from',
    );
  }
  return draftOf({ ...rest, blobs: [...delta.manifest.blobs, ...wanted.blobs] });
}

function unite(a: Bundle, b: Bundle): Merged {
  const items = new Map<string, BundleItem>();
  const conflicts: ReturnType<typeof bundleUsage>[] = [];
  for (const item of [...a.manifest.items, ...b.manifest.items]) {
    // What describes one bundle is wrong for two: it is made anew.
    if (item.kind === 'sbom') continue;
    const key = itemKey(item);
    const other = items.get(key);
    if (other !== undefined && other.digest !== item.digest) {
      conflicts.push(
        bundleUsage(
          'MERGE_CONFLICT',
          `${formatItem(item)} is ${other.digest} in one bundle and ${item.digest} in the other`,
          'make both bundles again from the same origins',
        ),
      );
      continue;
    }
    items.set(key, other === undefined ? item : uniteItems(other, item, [a, b]));
  }
  if (conflicts.length > 0) throw new InstallerErrors(conflicts);
  const merged = [...items.values()];
  const used = new Set(merged.flatMap(({ blobs }) => blobs));
  const unique = (values: readonly string[]): string[] => [...new Set(values)];
  const cluster = unique([a.manifest.cluster, b.manifest.cluster]).join('+');
  const sbom = sbomSource(cluster, merged);
  const draft = draftOf({
    installer: programVersion,
    cluster,
    kubernetes: unique([...a.manifest.kubernetes, ...b.manifest.kubernetes]),
    platforms: unique([...a.manifest.platforms, ...b.manifest.platforms]),
    items: [...merged, sbom.item],
    blobs: [sbom.source.blob, ...[...a.manifest.blobs, ...b.manifest.blobs].filter(({ digest }) => used.has(digest))],
  });
  return { draft, sources: [sbom.source] };
}

function uniteItems(a: BundleItem, b: BundleItem, bundles: readonly Bundle[]): BundleItem {
  const sizes = new Map(
    bundles.flatMap(({ manifest }) =>
      manifest.blobs.map((blob: BlobDescriptor) => [blob.digest, blob.sizeBytes] as const),
    ),
  );
  const blobs = [...new Set([...a.blobs, ...b.blobs])];
  return {
    ...a,
    platforms: [...new Set([...a.platforms, ...b.platforms])],
    why: [...new Set([...a.why, ...b.why])],
    ...(a.provides === undefined ? {} : { provides: [...new Set([...a.provides, ...(b.provides ?? [])])] }),
    ...(a.paths === undefined ? {} : { paths: [...new Set([...a.paths, ...(b.paths ?? [])])] }),
    blobs,
    sizeBytes: blobs.reduce((sum, digest) => sum + (sizes.get(digest) ?? 0), 0),
  };
}
