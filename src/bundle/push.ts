import { createLimiter } from '../lib/concurrency.ts';
import { copy } from '../oci/copy.ts';
import type { CopiedImage, CopyProgress, CopyResult } from '../oci/copy-types.ts';
import type { Digest } from '../oci/digest.ts';
import { parseManifest } from '../oci/manifest.ts';
import { isManifest } from '../oci/media-types.ts';
import { narrowIndex } from '../oci/narrow.ts';
import { parseReference, withDigest, type Reference } from '../oci/reference.ts';
import type { OciStore, WritableOciStore } from '../oci/store.ts';
import { artifactManifest, artifactName, storeWithFiles } from './artifacts-store.ts';
import type { Bundle } from './bundle.ts';
import { bundleUsage } from './bundle-errors.ts';
import { platformsOf, type BundleItem } from './manifest.ts';
import { mapItems, type MappedItem, type RegistryTarget } from './registry-mapping.ts';

export interface PushOptions {
  /** Blobs on their way at once; 6 where nothing else is said. */
  readonly jobs?: number | undefined;
  readonly attempts?: number | undefined;
  readonly baseDelayMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: CopyProgress) => void) | undefined;
}

/** How an item ended. */
export interface PushedItem extends MappedItem {
  readonly outcome: CopiedImage;
}

/**
 * Pushes every item of a bundle into a registry: images under their mapped names, files as artifacts. What is there is not sent.
 * Where the registry wants whole indexes and the bundle has not all platforms, tags name what there is: the manifest of the only
 * platform, or an index of those.
 */
export async function pushBundle(
  bundle: Bundle,
  target: WritableOciStore,
  place: RegistryTarget,
  options: PushOptions = {},
): Promise<Omit<CopyResult, 'images'> & { readonly items: readonly PushedItem[] }> {
  refuseDelta(bundle);
  const mapped = mapItems(bundle.manifest.items, place);
  const { images, ...counts } = await copy(
    storeWithFiles(bundle),
    target,
    mapped.map(({ item, to }) => ({ from: sourceName(item), to, platforms: platformsOf(item) })),
    {
      jobs: options.jobs ?? 6,
      attempts: options.attempts,
      baseDelayMs: options.baseDelayMs,
      signal: options.signal,
      onProgress: options.onProgress,
      whenIndexRefused: 'narrow',
    },
  );
  const items = mapped.flatMap((one, index) => {
    const outcome = images[index];
    return outcome === undefined ? [] : { ...one, outcome };
  });
  return { ...counts, items };
}

/** What a registry lacks of one item. */
export interface CheckedItem extends MappedItem {
  /** Digests that are not there. */
  readonly missing: readonly Digest[];
  /** What the tag names instead; undefined where it names what it should, or names nothing and is among the missing. */
  readonly otherDigest?: Digest | undefined;
  /** The tag names only what there is of its index, which the registry would not take: nobody finds the image by the digest of the index. */
  readonly isNarrowed: boolean;
}

const looksAtOnce = 16;

/** Asks a registry for every digest of a bundle, one HEAD each, and for what its tags name. */
export async function checkRegistry(
  bundle: Bundle,
  target: OciStore,
  place: RegistryTarget,
  signal?: AbortSignal,
): Promise<readonly CheckedItem[]> {
  const limiter = createLimiter(looksAtOnce);
  const look = <T>(work: () => Promise<T>): Promise<T> => limiter.run(work, signal);
  return Promise.all(
    mapItems(bundle.manifest.items, place).map(async ({ item, to }): Promise<CheckedItem> => {
      const { top, narrowed, children, blobs } = await treeOf(bundle, item);
      const lacks = await Promise.all([
        ...children.map(async (digest) =>
          (await look(() => target.resolve(withDigest(to, digest), { signal }))) === undefined ? digest : undefined,
        ),
        ...blobs.map(async (digest) =>
          (await look(() => target.statBlob(to, digest, { signal }))) === undefined ? digest : undefined,
        ),
      ]);
      const named = await look(() => target.resolve(to, { signal }));
      // A tag on what there is of an index serves as well: see pushBundle.
      const isRight = named !== undefined && [top, narrowed, ...children].includes(named.digest);
      const missing = lacks.filter((digest) => digest !== undefined);
      return {
        item,
        to,
        missing: named === undefined ? [top, ...missing] : missing,
        isNarrowed: isRight && named.digest !== top,
        ...(named === undefined || isRight ? {} : { otherDigest: named.digest }),
      };
    }),
  );
}

/** A bundle that has not all of its blobs cannot be used without its base. BUNDLE_IS_DELTA (exit code 2). */
export function refuseDelta({ path, manifest }: Bundle): void {
  if (manifest.base === undefined) return;
  throw bundleUsage(
    'IS_DELTA',
    `${path} is a delta: ${manifest.base.blobs.length} of its blobs are in the bundle ${manifest.base.manifest}`,
    'make it whole first: installer bundle merge DELTA BASE -o FILE',
  );
}

/** What an item is called in the store of its bundle. */
function sourceName(item: BundleItem): Reference {
  if (item.kind !== 'image') return artifactName(item);
  const reference = parseReference(item.name);
  // By tag: then nothing but the index of the bundle decides; the digest is checked with it.
  return reference.tag === undefined ? reference : { ...reference, digest: item.digest };
}

async function treeOf(
  bundle: Bundle,
  item: BundleItem,
): Promise<{
  readonly top: Digest;
  /** Of the index of the platforms that are in the bundle. */
  readonly narrowed: Digest;
  readonly children: readonly Digest[];
  readonly blobs: readonly Digest[];
}> {
  if (item.kind !== 'image') {
    const top = artifactManifest(item).descriptor.digest;
    return { top, narrowed: top, children: [], blobs: item.blobs };
  }
  const stored = await bundle.store.readManifest(withDigest(parseReference(item.name), item.digest));
  const parsed = parseManifest(stored, item.name);
  const members = parsed.kind === 'image' ? [] : parsed.manifests.filter(({ mediaType }) => isManifest(mediaType));
  const children = members.map(({ digest }) => digest).filter((digest) => item.blobs.includes(digest));
  const blobs = item.blobs.filter((digest) => digest !== item.digest && !children.includes(digest));
  const narrowed = parsed.kind === 'image' ? item.digest : narrowIndex(stored, new Set(children)).descriptor.digest;
  return { top: item.digest, narrowed, children, blobs };
}
