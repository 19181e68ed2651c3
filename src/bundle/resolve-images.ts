import { mapConcurrent } from '../lib/concurrency.ts';
import type { Digest } from '../oci/digest.ts';
import {
  blobsOf,
  parseManifest,
  type BlobDescriptor,
  type ImageManifest,
  type IndexManifest,
  type Platform,
  type StoredManifest,
} from '../oci/manifest.ts';
import { isImageManifest } from '../oci/media-types.ts';
import { wrongSize } from '../oci/oci-errors.ts';
import { formatPlatform, matchesPlatform, parsePlatform, selectPlatforms } from '../oci/platform.ts';
import { readBlob } from '../oci/read-blob.ts';
import { parseReference, withDigest, type Reference, type RepositoryName } from '../oci/reference.ts';
import type { CallOptions, OciStore } from '../oci/store.ts';
import type { BundleItem } from './manifest.ts';
import type { ImagePins } from './pins.ts';
import { valuesOf } from './values-of.ts';
import type { WantedImage } from './wanted.ts';

/** An image as its registry has it now. */
export interface ResolvedImage {
  readonly item: BundleItem;
  readonly from: RepositoryName;
  /** Its index and manifests, and a configuration that had to be read: small, and known from here on. */
  readonly manifests: readonly StoredManifest[];
  /** Configurations that were not read, and layers. */
  readonly blobs: readonly BlobDescriptor[];
}

/** Images that are asked about at once. */
const imagesAtOnce = 32;

/** Where images are asked for: their registries, and a bundle made earlier that may have what a digest names. */
interface Origins {
  readonly store: OciStore;
  readonly earlier: Promise<OciStore | undefined>;
}

export interface ResolveImagesOptions extends CallOptions {
  /** A bundle made earlier. A promise, for the registry can be asked while that is opened. */
  readonly earlier?: Promise<OciStore | undefined>;
  /** What images that are named by tag must be: then they are asked for by digest. */
  readonly pins?: ImagePins | undefined;
}

/**
 * Asks for the manifests of all images, for the platforms wanted: one request for each manifest, less what an earlier bundle has of
 * them. An image that lacks a platform says so in its item, and nothing else. Every image that cannot be read is told, as
 * InstallerErrors.
 */
export async function resolveImages(
  store: OciStore,
  wanted: readonly WantedImage[],
  platforms: readonly string[],
  { signal, earlier = Promise.resolve(undefined), pins = new Map() }: ResolveImagesOptions = {},
): Promise<readonly ResolvedImage[]> {
  const parsed = platforms.map(parsePlatform);
  const origins = { store, earlier };
  const results = await mapConcurrent(
    wanted,
    imagesAtOnce,
    (image) => resolveImage(origins, { ...image, digest: image.digest ?? pins.get(image.name) }, parsed, signal),
    signal,
  );
  return valuesOf(results);
}

/** From the earlier bundle, verified; where that has it not, or not whole, from the registry. */
async function byDigest<T>(origins: Origins, read: (from: OciStore) => Promise<T>): Promise<T> {
  const earlier = await origins.earlier;
  return earlier === undefined ? read(origins.store) : read(earlier).catch(() => read(origins.store));
}

async function resolveImage(
  origins: Origins,
  { name, why, digest: pinned }: WantedImage,
  platforms: readonly Platform[],
  signal: AbortSignal | undefined,
): Promise<ResolvedImage> {
  const named = parseReference(name);
  const reference = pinned === undefined ? named : { ...named, digest: pinned };
  const readTop = (from: OciStore): Promise<StoredManifest> => from.readManifest(reference, { signal });
  const top = await (reference.digest === undefined ? readTop(origins.store) : byDigest(origins, readTop));
  const parsed = parseManifest(top, name);
  const found =
    parsed.kind === 'image'
      ? await ofImage(origins, reference, top, parsed, platforms, signal)
      : await ofIndex(origins, reference, top, parsed, platforms, signal);
  const all = new Map<Digest, number>();
  for (const { descriptor } of found.manifests) all.set(descriptor.digest, descriptor.sizeBytes);
  for (const { digest, sizeBytes } of found.blobs) all.set(digest, sizeBytes);
  const item: BundleItem = {
    kind: 'image',
    name,
    platforms: found.platforms,
    why,
    digest: top.descriptor.digest,
    sizeBytes: [...all.values()].reduce((sum, size) => sum + size, 0),
    mediaType: parsed.mediaType,
    origin: name,
    pin: reference.digest === undefined ? 'tag' : 'reference',
    blobs: [...all.keys()],
  };
  return { item, from: reference, manifests: found.manifests, blobs: found.blobs };
}

type Found = Pick<ResolvedImage, 'manifests' | 'blobs'> & { readonly platforms: readonly string[] };

/** Without an index the configuration says what the image was made for. */
async function ofImage(
  origins: Origins,
  reference: Reference,
  top: StoredManifest,
  parsed: ImageManifest,
  platforms: readonly Platform[],
  signal: AbortSignal | undefined,
): Promise<Found> {
  const { config } = parsed;
  const bytes = await byDigest(origins, (from) => readBlob(from, reference, config, { signal }));
  const have = platformOf(bytes);
  const fitting = platforms.filter((want) => have !== undefined && matchesPlatform(have, want));
  const blobs = blobsOf(parsed).filter(({ digest }) => digest !== config.digest);
  return { manifests: [top, { descriptor: config, bytes }], blobs, platforms: fitting.map(formatPlatform) };
}

async function ofIndex(
  origins: Origins,
  reference: Reference,
  top: StoredManifest,
  parsed: IndexManifest,
  platforms: readonly Platform[],
  signal: AbortSignal | undefined,
): Promise<Found> {
  const chosen = selectPlatforms(parsed.manifests, platforms).filter(({ mediaType }) => isImageManifest(mediaType));
  const children = await Promise.all(
    chosen.map(async (child) => {
      const name = withDigest(reference, child.digest);
      const manifest = await byDigest(origins, (from) => from.readManifest(name, { signal }));
      if (manifest.bytes.length === child.sizeBytes) return manifest;
      throw wrongSize(child.digest, origins.store.description, manifest.bytes.length, child.sizeBytes);
    }),
  );
  const blobs = children.flatMap((child) => {
    const image = parseManifest(child, reference.repository);
    return image.kind === 'image' ? blobsOf(image) : [];
  });
  const fitting = platforms.filter((want) => selectPlatforms(chosen, [want]).length > 0);
  return { manifests: [top, ...children], blobs, platforms: fitting.map(formatPlatform) };
}

function platformOf(config: Buffer): Platform | undefined {
  try {
    const { os, architecture, variant } = JSON.parse(config.toString()) as Partial<Platform>;
    if (typeof os !== 'string' || typeof architecture !== 'string') return undefined;
    return { os, architecture, ...(typeof variant === 'string' ? { variant } : {}) };
  } catch {
    return undefined;
  }
}
