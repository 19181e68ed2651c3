import type { KeyObject } from 'node:crypto';
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { InternalError, messageOf } from '../errors.ts';
import { createBlobCopier } from '../oci/copy-blobs.ts';
import { digestOf, type Digest } from '../oci/digest.ts';
import type { BlobDescriptor } from '../oci/manifest.ts';
import type { RepositoryName } from '../oci/reference.ts';
import type { CallOptions } from '../oci/store.ts';
import { bundleExists, openBundle, planBundle, renderIndex, sizesOf, type Bundle } from './bundle.ts';
import { bundleUsage, formatSize } from './bundle-errors.ts';
import { namingDisk } from './free-space.ts';
import { renderBundleManifest, parseBundleManifest, type BundleManifest } from './manifest.ts';
import { isPartName } from './parted-file.ts';
import { asidePath, openPartial, wholeAside } from './partial.ts';
import { signManifest } from './signature.ts';

/** Where one blob comes from. */
export interface BlobSource {
  readonly blob: BlobDescriptor;
  /** For errors: a repository, or the host and path of a file. */
  readonly from: RepositoryName;
  open(startByte: number, options: CallOptions): Promise<Readable>;
  /** As of `OciStore`: what came was wrong, and there is another place to ask. */
  readonly distrust?: (() => boolean) | undefined;
}

export interface WriteOptions extends CallOptions {
  readonly path: string;
  /** Cut the file into parts of so many bytes. */
  readonly partBytes?: number | undefined;
  readonly signKey?: KeyObject | undefined;
  /** Text of a signature that is there already: of a bundle that is cut otherwise, or put together. */
  readonly signature?: string | undefined;
  /** Blobs on their way at once; 8 where nothing else is said. */
  readonly jobs?: number | undefined;
  /** Tries of one blob without progress; 5 where nothing else is said. */
  readonly attempts?: number | undefined;
  readonly baseDelayMs?: number | undefined;
  readonly onProgress?: ((progress: WriteProgress) => void) | undefined;
  /** For tests: bytes that are free. */
  readonly freeBytes?: ((folder: string) => Promise<number>) | undefined;
  /** Write it also where the very same one is there: each blob is taken from that as long as it proves to be right. */
  readonly anew?: boolean | undefined;
}

export interface WriteProgress {
  /** Bytes of blobs that are in the file. */
  readonly doneBytes: number;
  readonly totalBytes: number;
}

export interface WriteResult {
  readonly path: string;
  readonly paths: readonly string[];
  /** Digest of `bundle.json`: two bundles of the same one hold the same. */
  readonly manifestDigest: Digest;
  readonly manifest: BundleManifest;
  /** Of the whole file. */
  readonly sizeBytes: number;
  /** Bytes that were fetched in this run, those that came twice included. */
  readonly fetchedBytes: number;
  /** Bytes of blobs taken from an earlier run, or from the bundle that was there. */
  readonly keptBytes: number;
  /** The very same bundle was there already, by its table of contents and its length: its blobs were not read. */
  readonly wasThere: boolean;
}

const defaultJobs = 8;

/**
 * Writes a bundle of this manifest: the same manifest gives the same bytes. What an earlier run left is gone on with; blobs of a bundle
 * that has the name already are taken from it. The name appears when everything is there and on the disk.
 */
export async function writeBundle(
  draft: Omit<BundleManifest, 'index'>,
  sources: readonly BlobSource[],
  options: WriteOptions,
): Promise<WriteResult> {
  const path = resolve(options.path);
  await checkFolder(path);
  const manifestBytes = renderComplete(draft);
  const signature = options.signKey === undefined ? options.signature : signManifest(manifestBytes, options.signKey);
  const manifestDigest = digestOf(manifestBytes);
  const old = await openOld(path);
  try {
    // The plan follows from these two: it is made once, when the old one is opened.
    const hasSameHead = old?.manifestDigest === manifestDigest && old.signature === signature;
    const { manifest, plan } = hasSameHead ? old : planOf(manifestBytes, signature, path);
    const result = { path, manifestDigest, manifest, sizeBytes: plan.totalBytes };
    const isSame =
      hasSameHead &&
      options.anew !== true &&
      old.file.sizeBytes === plan.totalBytes &&
      isCutAs(old, path, options.partBytes);
    if (isSame) return { ...result, paths: old.file.paths, fetchedBytes: 0, keptBytes: 0, wasThere: true };
    const partial = await openPartial(path, plan, { partBytes: options.partBytes, freeBytes: options.freeBytes });
    let isOver = false;
    try {
      const aside = await openAside(path);
      const counts = await fillAll(manifest, sources, [aside, old], partial, options).finally(() => aside?.close());
      const paths = await partial.finish();
      isOver = true;
      return { ...result, ...counts, paths, wasThere: false };
    } finally {
      if (!isOver) await partial.close().catch(() => undefined);
    }
  } finally {
    await old?.close();
  }
}

/** The folder must be there and take files, and the name be none of a part; said before anything is asked for. BUNDLE_OUT (exit code 2). */
export async function checkFolder(path: string): Promise<void> {
  if (isPartName(path)) {
    throw bundleUsage(
      'OUT',
      `${path} would be taken for a part of another bundle: a name that ends in a point and three digits is that of a part`,
      'give another name to -o',
    );
  }
  try {
    await access(dirname(resolve(path)), constants.W_OK);
  } catch (error) {
    throw bundleUsage(
      'OUT',
      `${path} cannot be written: ${messageOf(error)}`,
      'make the folder, or give another file to -o',
    );
  }
}

/** `bundle.json` of a manifest, whose index is made here. */
function renderComplete(draft: Omit<BundleManifest, 'index'>): Buffer {
  const index = Buffer.from(renderIndex(draft.items, sizesOf({ ...draft, index: emptyBlob })));
  return renderBundleManifest({ ...draft, index: { digest: digestOf(index), sizeBytes: index.length } });
}

/** The manifest in the form in which it is read back, and where everything lies. */
function planOf(manifestBytes: Buffer, signature: string | undefined, path: string): Pick<Bundle, 'manifest' | 'plan'> {
  const manifest = parseBundleManifest(manifestBytes, path);
  return { manifest, plan: planBundle(manifestBytes, manifest, signature) };
}

const emptyBlob: BlobDescriptor = { digest: digestOf(''), sizeBytes: 0 };

async function fillAll(
  manifest: BundleManifest,
  sources: readonly BlobSource[],
  earlier: readonly (EarlierBundle | undefined)[],
  partial: Awaited<ReturnType<typeof openPartial>>,
  options: WriteOptions,
): Promise<{ fetchedBytes: number; keptBytes: number }> {
  const byDigest = new Map(sources.map((source) => [source.blob.digest, source]));
  const lacking = manifest.blobs.filter(({ digest }) => !byDigest.has(digest));
  if (lacking.length > 0) throw new InternalError(`no source for ${lacking.map(({ digest }) => digest).join(', ')}`);
  /** Blobs of earlier bundles, as long as they prove to be right. */
  const reusable = new Map(
    earlier.flatMap((bundle) =>
      bundle === undefined ? [] : [...bundle.blobs].map((digest) => [digest, bundle] as const),
    ),
  );
  let reusedBytes = 0;
  const openBlob = async (
    _name: RepositoryName,
    blob: BlobDescriptor,
    { startByte = 0, signal }: { startByte?: number | undefined } & CallOptions = {},
  ): Promise<Readable> => {
    const known = reusable.get(blob.digest);
    if (known !== undefined) return known.openBlob(blob, { startByte, signal });
    const source = byDigest.get(blob.digest);
    if (source === undefined) throw new InternalError(`no source for ${blob.digest}`);
    return source.open(startByte, { signal });
  };
  const putBlob: Parameters<typeof createBlobCopier>[1]['putBlob'] = async (_name, blob, openFrom, putOptions) => {
    if (!reusable.has(blob.digest)) return partial.put(blob, openFrom, putOptions);
    try {
      const result = await partial.put(blob, openFrom, { ...putOptions, onBytes: undefined });
      if (result === 'written') reusedBytes += blob.sizeBytes;
      return result;
    } catch (error) {
      options.signal?.throwIfAborted();
      // The earlier bundle is damaged there, or cannot be read: whatever it was, the source has it.
      reusable.delete(blob.digest);
      if ((error as NodeJS.ErrnoException).code === 'ENOSPC') throw error;
      return partial.put(blob, openFrom, putOptions);
    }
  };
  const totalBytes = manifest.blobs.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const report = (): void => options.onProgress?.({ doneBytes: Math.min(copier.doneBytes, totalBytes), totalBytes });
  const stop = new AbortController();
  const signal = options.signal === undefined ? stop.signal : AbortSignal.any([stop.signal, options.signal]);
  const copier = createBlobCopier(
    {
      description: 'the sources',
      isLocal: false,
      openBlob,
      distrust: (_name, digest) => byDigest.get(digest)?.distrust?.() === true,
    },
    { isLocal: true, putBlob },
    {
      jobs: options.jobs ?? defaultJobs,
      attempts: options.attempts,
      baseDelayMs: options.baseDelayMs,
      signal,
    },
    report,
  );
  // The largest first, so that none of them is what everybody waits for in the end.
  const order = manifest.blobs.toSorted((a, b) => b.sizeBytes - a.sizeBytes);
  const results = await Promise.allSettled(
    order.map((blob) => {
      const from = byDigest.get(blob.digest)?.from ?? { registry: 'localhost', repository: 'unknown' };
      return copier.copy(from, from, blob).catch((error: unknown) => {
        // What is under way ends; nothing new begins, for the bundle cannot be made whole in this run.
        stop.abort(namingDisk(error, resolve(options.path), totalBytes, copier.doneBytes));
        throw error;
      });
    }),
  );
  options.signal?.throwIfAborted();
  if (stop.signal.aborted) throw stop.signal.reason;
  for (const result of results) if (result.status === 'rejected') throw result.reason;
  return { fetchedBytes: copier.counts.sentBytes, keptBytes: partial.keptBytes + reusedBytes };
}

/** A bundle, and which of its blobs may be taken from it. */
type EarlierBundle = Bundle & { readonly blobs: ReadonlySet<Digest> };

/** The bundle that has the name already; undefined where there is none, or none that can be read. */
export async function openOld(path: string): Promise<EarlierBundle | undefined> {
  if (!(await bundleExists(path).catch(() => false))) return undefined;
  const bundle = await openBundle(path).catch(() => undefined);
  return bundle && { ...bundle, blobs: new Set(bundle.plan.blobs.keys()) };
}

/** What is left of a run that was to write something else under this name: its head was written first. */
async function openAside(path: string): Promise<EarlierBundle | undefined> {
  const file = asidePath(path);
  if (!(await bundleExists(file).catch(() => false))) return undefined;
  const bundle = await openBundle(file, { mayBeCut: true }).catch(() => undefined);
  return bundle && { ...bundle, blobs: await wholeAside(path, sizesOf(bundle.manifest)) };
}

function isCutAs(old: Bundle, path: string, partBytes: number | undefined): boolean {
  if (partBytes === undefined) return old.file.paths.length === 1 && resolve(old.file.paths[0] ?? '') === path;
  return old.file.paths.length === Math.max(1, Math.ceil(old.file.sizeBytes / partBytes));
}

/** `3 items, 1.2 GiB`. */
export function formatWritten({ manifest, sizeBytes }: Pick<WriteResult, 'manifest' | 'sizeBytes'>): string {
  return `${manifest.items.length} items, ${formatSize(sizeBytes)}`;
}
