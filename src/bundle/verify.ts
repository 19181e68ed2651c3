import { mapConcurrent } from '../lib/concurrency.ts';
import { digestFrom, hashFor, type Digest } from '../oci/digest.ts';
import { parseManifest, type BlobDescriptor } from '../oci/manifest.ts';
import { isManifest } from '../oci/media-types.ts';
import { parsePlatform, selectPlatforms } from '../oci/platform.ts';
import { parseTarHeader } from '../oci/tar-index.ts';
import { messageOf } from '../errors.ts';
import type { BlobStatus } from './blob-status.ts';
import type { Bundle } from './bundle.ts';
import { formatItem } from './format-item.ts';
import type { BundleItem } from './manifest.ts';
import { endBytes, padded, type PlannedEntry } from './tar-plan.ts';

/** How a blob was found. */
export interface VerifiedBlob {
  readonly digest: Digest;
  readonly sizeBytes: number;
  readonly status: BlobStatus;
  /** What exactly is wrong; undefined where nothing is. */
  readonly reason?: string | undefined;
  /** The items that need it. */
  readonly items: readonly string[];
}

export interface VerifyResult {
  readonly blobs: readonly VerifiedBlob[];
  /** What is wrong beside blobs, one sentence each. */
  readonly problems: readonly string[];
  readonly isWhole: boolean;
}

export interface VerifyOptions {
  /** Blobs that are read at once; 2 where nothing else is said. */
  readonly jobs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: { readonly doneBytes: number; readonly totalBytes: number }) => void) | undefined;
}

/** Reads every byte of a bundle and says of each blob whether it is what it should be. Throws only an aborted signal's reason. */
export async function verifyBundle(bundle: Bundle, options: VerifyOptions = {}): Promise<VerifyResult> {
  const { manifest } = bundle;
  const { signal } = options;
  const neededBy = Map.groupBy(
    manifest.items.flatMap((item) => item.blobs.map((digest) => ({ digest, name: formatItem(item) }))),
    ({ digest }) => digest,
  );
  const itemsOf = (digest: Digest): string[] => (neededBy.get(digest) ?? []).map(({ name }) => name);
  const totalBytes = manifest.blobs.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  let doneBytes = 0;
  const results = await mapConcurrent(
    manifest.blobs,
    options.jobs ?? 2,
    async (blob): Promise<VerifiedBlob> => {
      const found = await verifyBlob(bundle, blob, signal).catch((error: unknown) => {
        signal?.throwIfAborted();
        return { status: 'unreadable' as const, reason: messageOf(error) };
      });
      doneBytes += blob.sizeBytes;
      options.onProgress?.({ doneBytes, totalBytes });
      return { ...blob, ...found, items: itemsOf(blob.digest) };
    },
    signal,
  );
  const blobs = results.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
  const inBase = (manifest.base?.blobs ?? []).map((blob): VerifiedBlob => ({
    ...blob,
    status: 'in-base',
    items: itemsOf(blob.digest),
  }));
  const problems = [
    ...(await problemsOfEnd(bundle)),
    ...problemsOfItems(bundle),
    ...(await problemsOfImages(bundle, blobs)),
  ];
  const isWhole = problems.length === 0 && blobs.every(({ status }) => status === 'ok');
  return { blobs: [...blobs, ...inBase], problems, isWhole };
}

async function verifyBlob(
  { file, plan }: Bundle,
  { digest, sizeBytes }: BlobDescriptor,
  signal: AbortSignal | undefined,
): Promise<Pick<VerifiedBlob, 'status' | 'reason'>> {
  const entry = plan.blobs.get(digest);
  if (entry === undefined) return { status: 'missing' };
  const header = await file.read(entry.headerOffset, entry.header.length);
  if (!header.equals(entry.header)) return judgeHeader(header, entry);
  const endByte = entry.offset + sizeBytes;
  if (endByte > file.sizeBytes) {
    return { status: 'missing', reason: `the file ends ${endByte - file.sizeBytes} bytes before the blob does` };
  }
  const hash = hashFor(digest);
  await file.digest(hash, { startByte: entry.offset, endByte }, signal);
  const actual = digestFrom('sha256', hash);
  if (actual !== digest) return { status: 'wrong-digest', reason: `its digest is ${actual}` };
  const padding = await file.read(endByte, padded(sizeBytes) - sizeBytes);
  if (padding.some((byte) => byte !== 0)) {
    return { status: 'unreadable', reason: 'the blob is right, and what fills its last block is not' };
  }
  return { status: 'ok' };
}

function judgeHeader(header: Buffer, entry: PlannedEntry): Pick<VerifiedBlob, 'status' | 'reason'> {
  if (header.length < entry.header.length) return { status: 'missing', reason: 'the file ends before it' };
  const found = parseTarHeader(header);
  if (found === undefined) return { status: 'missing', reason: 'where it should lie there is nothing' };
  if (found instanceof Error) return { status: 'unreadable', reason: `in front of it ${found.message}` };
  if (found.name !== entry.name) return { status: 'missing', reason: `in its place lies ${found.name}` };
  if (found.sizeBytes !== entry.sizeBytes) {
    return { status: 'wrong-size', reason: `it has ${found.sizeBytes} bytes, not ${entry.sizeBytes}` };
  }
  return { status: 'unreadable', reason: 'its header was changed' };
}

async function problemsOfEnd({ file, plan }: Bundle): Promise<string[]> {
  const missing = plan.totalBytes - file.sizeBytes;
  if (missing > 0) return [`the file was cut off: ${missing} of ${plan.totalBytes} bytes are missing at its end`];
  if (missing < 0) return [`the file has ${-missing} bytes behind its end`];
  const end = await file.read(plan.totalBytes - endBytes, endBytes);
  return end.some((byte) => byte !== 0) ? ['the end of the tar is not as it was written'] : [];
}

/** What the table of contents itself leaves open. */
function problemsOfItems({ manifest }: Bundle): string[] {
  const known = new Set([...manifest.blobs, ...(manifest.base?.blobs ?? [])].map(({ digest }) => digest));
  return manifest.items.flatMap((item) => {
    const missing = [item.digest, ...item.blobs].filter((digest) => !known.has(digest));
    return missing.length === 0 ? [] : [`${formatItem(item)} needs ${missing.join(', ')}, which is listed nowhere`];
  });
}

/** Whether what the manifests of images name is listed with them. Manifests that are not whole have been told already. */
async function problemsOfImages(bundle: Bundle, blobs: readonly VerifiedBlob[]): Promise<string[]> {
  const whole = new Map(blobs.filter(({ status }) => status === 'ok').map((blob) => [blob.digest, blob]));
  const problems: string[] = [];
  for (const item of bundle.manifest.items.filter(({ kind }) => kind === 'image')) {
    if (!whole.has(item.digest)) continue;
    try {
      const missing = await missingOf(bundle, item, item.digest, item.mediaType ?? '', whole);
      problems.push(...missing.map((digest) => `${item.name} needs ${digest}, which is not listed with it`));
    } catch (error) {
      problems.push(`${item.name}: ${messageOf(error)}`);
    }
  }
  return problems;
}

async function missingOf(
  bundle: Bundle,
  item: BundleItem,
  digest: Digest,
  mediaType: string,
  whole: ReadonlyMap<Digest, VerifiedBlob>,
): Promise<Digest[]> {
  const entry = bundle.plan.blobs.get(digest);
  if (entry === undefined || !whole.has(digest)) return [];
  const bytes = await bundle.file.read(entry.offset, entry.sizeBytes);
  const parsed = parseManifest({ bytes, descriptor: { mediaType, digest, sizeBytes: bytes.length } }, item.name);
  if (parsed.kind === 'image') {
    return [parsed.config, ...parsed.layers].map((blob) => blob.digest).filter((name) => !item.blobs.includes(name));
  }
  const chosen = selectPlatforms(parsed.manifests, item.platforms.map(parsePlatform));
  const nested = await Promise.all(
    chosen.map(async (child) => {
      if (!item.blobs.includes(child.digest)) return [child.digest];
      return isManifest(child.mediaType) ? missingOf(bundle, item, child.digest, child.mediaType, whole) : [];
    }),
  );
  return nested.flat();
}
