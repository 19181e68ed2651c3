import { InstallerError } from '../errors.ts';
import { createLimiter, mapConcurrent } from '../lib/concurrency.ts';
import { createBlobCopier, toInstallerError, type BlobCopier } from './copy-blobs.ts';
import type { CopiedImage, CopyItem, CopyOptions, CopyResult } from './copy-types.ts';
import { blobsOf, parseManifest, type Descriptor, type IndexManifest, type StoredManifest } from './manifest.ts';
import { isManifest } from './media-types.ts';
import { narrowIndex } from './narrow.ts';
import { OciError, wrongSize } from './oci-errors.ts';
import { formatPlatform, selectPlatforms } from './platform.ts';
import { formatReference, withDigest, type Reference, type RepositoryName } from './reference.ts';
import type { OciStore, WritableOciStore } from './store.ts';

/** Manifests that are worked on at once: small requests, whose waiting is what costs. */
const manifestJobs = 32;

/**
 * Copies images from one store to another.
 *
 * - Blobs go in parallel, at most `jobs` at once over all images, each once; what the target has is not sent, and what one of
 *   its repositories has is mounted. Length and digest are verified on the way.
 * - Manifests go byte for byte, after everything they refer to, so that an image is there whole or not at all.
 * - With `platforms`, manifests of other platforms are left out of what an index brings; the index itself stays what it
 *   is. A layout takes such an index; a registry may refuse it, see `whenIndexRefused`.
 * - An image whose manifest the target has is done after that one look; of an index its manifests are looked for too, unless
 *   they can be trusted (`trustIndexes`).
 * - A transfer that breaks is tried again and goes on from the part that the target has, also in another run.
 *
 * Every image ends in the result, those that failed with their error. Throws only what is no InstallerError, and the reason
 * of an aborted signal.
 */
export async function copy(
  source: OciStore,
  target: WritableOciStore,
  items: readonly CopyItem[],
  options: CopyOptions = {},
): Promise<CopyResult> {
  const { signal, onProgress } = options;
  let doneImages = 0;
  const report = (): void => {
    const { doneBytes, totalBytes } = blobs;
    const savedBytes = Math.min(doneBytes, blobBytes.mounted + blobBytes.present);
    onProgress?.({ doneImages, totalImages: items.length, doneBytes, totalBytes, savedBytes });
  };
  const blobBytes = { written: 0, mounted: 0, present: 0 };
  const counted: Pick<WritableOciStore, 'isLocal' | 'putBlob'> = {
    isLocal: target.isLocal,
    async putBlob(to, blob, open, putOptions) {
      const result = await target.putBlob(to, blob, open, putOptions);
      blobBytes[result] += blob.sizeBytes;
      return result;
    },
  };
  const blobs = createBlobCopier(source, counted, options, report);
  const context: Context = { source, target, options, blobs, requests: createLimiter(manifestJobs) };
  // More images than requests: one that waits for its blobs must not hold back the manifests of the next.
  const results = await mapConcurrent(items, items.length || 1, async (item): Promise<CopiedImage> => {
    try {
      return await copyImage(context, item);
    } catch (error) {
      const known = toInstallerError(error, item.from, signal);
      if (!(known instanceof InstallerError) || signal?.aborted === true) throw known;
      return { item, status: 'failed', error: known };
    } finally {
      doneImages += 1;
      report();
    }
  });
  const images = results.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
  const { written, mounted, present, sentBytes, retries } = blobs.counts;
  return { images, blobs: { written, mounted, present }, blobBytes, sentBytes, retries };
}

interface Context {
  readonly source: OciStore;
  readonly target: WritableOciStore;
  readonly options: CopyOptions;
  readonly blobs: BlobCopier;
  /** Bounds the small requests. */
  readonly requests: ReturnType<typeof createLimiter>;
}

async function copyImage(all: Context, item: CopyItem): Promise<CopiedImage> {
  const platforms = item.platforms ?? all.options.platforms;
  const context = { ...all, options: { ...all.options, platforms } };
  const { source, target, options } = context;
  const { signal, referrers } = options;
  const there = await small(context, () => target.resolve(byTag(item.to), { signal }));
  // Only where something is there is it worth asking what it should be: else the manifest is needed anyway.
  const wanted =
    there && (item.from.digest ?? (await small(context, () => source.resolve(item.from, { signal })))?.digest);
  if (there !== undefined && there.digest === wanted && (await isWhole(context, item, there))) {
    if (referrers === true) await copyReferrers(context, item.from, item.to, there);
    return { item, status: 'present', digest: there.digest };
  }
  const manifest = await small(context, () => source.readManifest(item.from, { signal }));
  const outcome = await copyTree(context, item.from, item.to, manifest, byTag(item.to), there);
  if (referrers === true) await copyReferrers(context, item.from, item.to, manifest.descriptor);
  return { item, ...outcome };
}

/** Copies everything that a manifest refers to, then the manifest, under `name`. */
async function copyTree(
  context: Context,
  from: RepositoryName,
  to: RepositoryName,
  manifest: StoredManifest,
  name: Reference,
  there?: Descriptor,
): Promise<Pick<CopiedImage, 'status' | 'digest'>> {
  const { target, options, blobs } = context;
  const { signal } = options;
  const { digest } = manifest.descriptor;
  const parsed = parseManifest(manifest, formatReference(withDigest(from, digest)));
  if (parsed.kind === 'image') {
    await whole(blobsOf(parsed).map((blob) => blobs.copy(from, to, blob)));
    await small(context, () => target.putManifest(name, manifest, { signal }));
    return { status: 'copied', digest };
  }
  const chosen = choose(parsed, options, from);
  await whole(chosen.map((child) => copyChild(context, from, to, child)));
  const isSparse = chosen.length < parsed.manifests.length;
  try {
    await small(context, () => target.putManifest(name, manifest, { signal }));
    return { status: isSparse ? 'sparse' : 'copied', digest };
  } catch (error) {
    if (!isSparse || !(error instanceof OciError) || error.code !== 'OCI_MANIFEST_INCOMPLETE') throw error;
    return tagNarrowed(context, name, manifest, chosen, error, there);
  }
}

async function copyChild(context: Context, from: RepositoryName, to: RepositoryName, child: Descriptor): Promise<void> {
  const { source, target, options, blobs } = context;
  const { signal } = options;
  if (!isManifest(child.mediaType)) {
    // An index may hold blobs of any kind, which stores keep as such.
    await blobs.copy(from, to, child);
    return;
  }
  const name = withDigest(to, child.digest);
  const there = await small(context, () => target.resolve(name, { signal }));
  if (there !== undefined && (await isWhole(context, { from: withDigest(from, child.digest), to: name }, there)))
    return;
  const manifest = await small(context, () => source.readManifest(withDigest(from, child.digest), { signal }));
  if (manifest.bytes.length !== child.sizeBytes) {
    throw wrongSize(child.digest, source.description, manifest.bytes.length, child.sizeBytes);
  }
  await copyTree(context, from, to, manifest, name);
}

/** Whether what a manifest refers to is in the target too. A registry vouches for an image, and with `trustIndexes` for an index. */
async function isWhole(context: Context, { from, to }: CopyItem, there: Descriptor): Promise<boolean> {
  const { target, options } = context;
  const { signal, trustIndexes } = options;
  // A registry that has the manifest of an image has its blobs; only of an index it may lack parts.
  if (!target.isLocal && (trustIndexes === true || !isIndexType(there))) return true;
  const manifest = await small(context, () => target.readManifest(withDigest(to, there.digest), { signal }));
  const parsed = parseManifest(manifest, formatReference(to));
  if (parsed.kind === 'image') {
    const sizes = await Promise.all(blobsOf(parsed).map((blob) => target.statBlob(to, blob.digest, { signal })));
    return blobsOf(parsed).every((blob, index) => sizes[index] === blob.sizeBytes);
  }
  const chosen = choose(parsed, options, from);
  const children = await Promise.all(
    chosen.map(async (child) => {
      if (!isManifest(child.mediaType)) return (await target.statBlob(to, child.digest, { signal })) !== undefined;
      const name = withDigest(to, child.digest);
      const found = await small(context, () => target.resolve(name, { signal }));
      return found !== undefined && isWhole(context, { from: withDigest(from, child.digest), to: name }, found);
    }),
  );
  return children.every(Boolean);
}

function isIndexType({ mediaType }: Descriptor): boolean {
  return /index|list/.test(mediaType);
}

function choose(index: IndexManifest, { platforms }: CopyOptions, from: RepositoryName): readonly Descriptor[] {
  const chosen = selectPlatforms(index.manifests, platforms);
  if (chosen.length > 0 || index.manifests.length === 0 || platforms === undefined) return chosen;
  const has = index.manifests.flatMap(({ platform }) => (platform ? [formatPlatform(platform)] : [])).join(', ');
  throw new OciError({
    code: 'OCI_NO_PLATFORM',
    message: `${formatReference(from)} has nothing for ${platforms.map(formatPlatform).join(', ')}, only for ${has}`,
    remedy: 'choose a platform that it has, or another image',
  });
}

/**
 * The target wants all platforms of an index and got some: the tag may go to the manifest of the only one, or to an index of those, never in
 * the place of something wider.
 */
async function tagNarrowed(
  context: Context,
  name: Reference,
  index: StoredManifest,
  chosen: readonly Descriptor[],
  error: OciError,
  there: Descriptor | undefined,
): Promise<Pick<CopiedImage, 'status' | 'digest'>> {
  const { target, options } = context;
  const [only, ...others] = chosen;
  const narrow = narrowIndex(index, new Set(chosen.map(({ digest }) => digest)));
  const isOurs =
    there === undefined ||
    there.digest === narrow.descriptor.digest ||
    membersOf(index, name).some(({ digest }) => digest === there.digest);
  const mayTag = options.whenIndexRefused === 'narrow' && name.tag !== undefined;
  if (!mayTag || only === undefined || !isOurs) {
    const reason = `${formatReference(name)} has more platforms than were copied, and the target takes only whole indexes: ${error.message}`;
    throw new OciError({
      code: 'OCI_SPARSE_INDEX_REFUSED',
      message: isOurs
        ? reason
        : `${reason}; its tag names ${there.digest}, which is not replaced by something narrower`,
      remedy: isOurs
        ? 'copy all platforms, or give the image a tag, which can name those that there are'
        : 'copy all platforms (a bundle: make it with --platform for each of them), or copy to another name',
      cause: error,
    });
  }
  const manifest =
    others.length > 0
      ? narrow
      : await small(context, () => target.readManifest(withDigest(name, only.digest), options));
  await small(context, () => target.putManifest(name, manifest, options));
  return { status: 'narrowed', digest: manifest.descriptor.digest };
}

function membersOf(index: StoredManifest, name: Reference): readonly Descriptor[] {
  const parsed = parseManifest(index, formatReference(name));
  return parsed.kind === 'index' ? parsed.manifests : [];
}

async function copyReferrers(
  context: Context,
  from: RepositoryName,
  to: RepositoryName,
  subject: Descriptor,
): Promise<void> {
  const { source, options } = context;
  const { signal } = options;
  const found = await small(context, () => source.listReferrers(from, subject.digest, { signal }));
  await whole(found.map((referrer) => copyChild(context, from, to, referrer)));
}

/** Waits for all before it throws, so that nothing of an image goes on behind its failure. */
async function whole(work: readonly Promise<void>[]): Promise<void> {
  const results = await Promise.allSettled(work);
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}

function small<T>({ requests, options }: Context, work: () => Promise<T>): Promise<T> {
  return requests.run(work, options.signal);
}

/** What a name is looked up by: its tag where it has one, for that is what shall name the image afterwards. */
function byTag({ registry, repository, tag, digest }: Reference): Reference {
  return tag === undefined ? { registry, repository, digest } : { registry, repository, tag };
}
