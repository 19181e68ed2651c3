import { stat } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { messageOf } from '../errors.ts';
import { digestOf, type Digest } from '../oci/digest.ts';
import type { LayoutFiles } from '../oci/layout-files.ts';
import { layoutMarker, namedEntry, parseLayoutIndex, renderLayoutIndex } from '../oci/layout-index.ts';
import { createLayoutReader } from '../oci/layout-reader.ts';
import type { BlobDescriptor, Descriptor } from '../oci/manifest.ts';
import { parseReference } from '../oci/reference.ts';
import type { LocalOciStore, OpenBlobOptions } from '../oci/store.ts';
import { parseTarHeader } from '../oci/tar-index.ts';
import { bundleUsage, damaged, formatSize, notABundle } from './bundle-errors.ts';
import { parseBundleManifest, parseMarker, renderMarker, type BundleItem, type BundleManifest } from './manifest.ts';
import { findParts, openParts, partMissing, type PartedFile } from './parted-file.ts';
import { planTar, type TarPlan } from './tar-plan.ts';

/** Names of the small files at the front, in their order. */
export const headNames = {
  marker: 'installer-bundle',
  manifest: 'bundle.json',
  signature: 'bundle.json.sig',
  layout: 'oci-layout',
  index: 'index.json',
} as const;

/** A bundle that is open for reading. Its head has been verified; its blobs have not. */
export interface Bundle {
  readonly path: string;
  readonly manifest: BundleManifest;
  readonly manifestBytes: Buffer;
  readonly manifestDigest: Digest;
  /** Text of the signature; undefined where there is none. */
  readonly signature: string | undefined;
  readonly file: PartedFile;
  /** Where everything lies in a bundle of this manifest. */
  readonly plan: TarPlan;
  /** The images by name and all blobs by digest. Blobs of a delta's base are absent from it. */
  readonly store: LocalOciStore;
  /** A blob that is in this file, unverified. */
  openBlob(blob: BlobDescriptor, options?: OpenBlobOptions): Readable;
  close(): Promise<void>;
}

/** Largest `bundle.json` that is read: a hundred thousand items. */
const maxHeadBytes = 256 * 1024 * 1024;

/** The small files of a bundle, and the plan of the whole. */
export function planBundle(manifestBytes: Buffer, manifest: BundleManifest, signature: string | undefined): TarPlan {
  const index = Buffer.from(renderIndex(manifest.items, sizesOf(manifest)));
  const content = [
    { name: headNames.marker, content: renderMarker(manifestBytes) },
    { name: headNames.manifest, content: manifestBytes },
    ...(signature === undefined ? [] : [{ name: headNames.signature, content: Buffer.from(signature) }]),
    { name: headNames.layout, content: Buffer.from(layoutMarker) },
    { name: headNames.index, content: index },
  ];
  return planTar(content, manifest.blobs);
}

/** `index.json`: the images by their names. `sizes` knows the size of every manifest. */
export function renderIndex(items: readonly BundleItem[], sizes: ReadonlyMap<Digest, number>): string {
  const entries = items
    .filter(({ kind }) => kind === 'image')
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map((item): Descriptor => {
      const descriptor = {
        mediaType: item.mediaType ?? '',
        digest: item.digest,
        sizeBytes: sizes.get(item.digest) ?? 0,
      };
      const reference = parseReference(item.name);
      return reference.tag === undefined ? descriptor : namedEntry(reference, descriptor);
    });
  return `${renderLayoutIndex(entries)}\n`;
}

/** Sizes of all blobs, those of the base included. */
export function sizesOf(manifest: BundleManifest): Map<Digest, number> {
  const all = [...manifest.blobs, ...(manifest.base?.blobs ?? [])];
  return new Map(all.map(({ digest, sizeBytes }) => [digest, sizeBytes]));
}

/**
 * Opens a bundle: a file, or one that was cut into parts (by the name of the whole or of the first part). The head is read and
 * verified: BUNDLE_INVALID, BUNDLE_VERSION_UNKNOWN, BUNDLE_DAMAGED, BUNDLE_PART_MISSING. With `mayBeCut` a file that ends too early is
 * opened too.
 */
export async function openBundle(path: string, options: { readonly mayBeCut?: boolean } = {}): Promise<Bundle> {
  const paths = await findParts(path);
  const file = await openParts(paths).catch((error: unknown) => {
    throw bundleUsage(
      'UNREADABLE',
      `${path} cannot be read: ${messageOf(error)}`,
      'check the path and its permissions',
    );
  });
  try {
    const bundle = await readHead(path, file);
    if (options.mayBeCut !== true) checkSize(bundle);
    return bundle;
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** BUNDLE_TRUNCATED, or BUNDLE_PART_MISSING, where bytes are missing at the end. */
export function checkSize({ path, plan, file }: Bundle): void {
  const missing = plan.totalBytes - file.sizeBytes;
  if (missing === 0) return;
  if (missing < 0) throw damaged(path, `it has ${formatSize(-missing)} behind its end`);
  const last = file.paths.at(-1) ?? path;
  if (/\.\d{3,}$/.test(last)) {
    const next = last.replace(/\d+$/, (number) => `${Number(number) + 1}`.padStart(3, '0'));
    throw partMissing(`what follows ${last} (${next}, ${formatSize(missing)} in all)`);
  }
  throw bundleUsage(
    'TRUNCATED',
    `${path} was cut off: ${missing} of ${plan.totalBytes} bytes are missing at its end`,
    'copy it again, and compare the sizes',
  );
}

async function readHead(path: string, file: PartedFile): Promise<Bundle> {
  const found = new Map<string, Buffer>();
  let at = 0;
  for (const name of Object.values(headNames)) {
    const block = await file.read(at, 512);
    const header = block.length < 512 ? undefined : parseTarHeader(block);
    if (header === undefined || header instanceof Error || header.name !== name) {
      if (name === headNames.signature) continue;
      if (name === headNames.marker) {
        throw block.length === 0
          ? notABundle(path, 'it is empty')
          : notABundle(path, 'it does not begin with the marker');
      }
      if (at + 512 > file.sizeBytes) throw cutInHead(path, file);
      throw damaged(path, `where ${name} should begin there is something else`);
    }
    if (header.sizeBytes > maxHeadBytes) throw damaged(path, `its ${name} has ${header.sizeBytes} bytes`);
    const content = await file.read(at + 512, header.sizeBytes);
    if (content.length < header.sizeBytes) throw cutInHead(path, file);
    if (name === headNames.marker) parseMarker(content.toString(), path);
    found.set(name, content);
    at += 512 + Math.ceil(header.sizeBytes / 512) * 512;
  }
  const get = (name: string): Buffer => found.get(name) ?? Buffer.alloc(0);
  const manifestBytes = get(headNames.manifest);
  const manifestDigest = parseMarker(get(headNames.marker).toString(), path);
  if (digestOf(manifestBytes) !== manifestDigest)
    throw damaged(path, 'bundle.json is not the one that its marker names');
  const manifest = parseBundleManifest(manifestBytes, path);
  const index = get(headNames.index);
  if (digestOf(index) !== manifest.index.digest)
    throw damaged(path, 'index.json is not the one that bundle.json names');
  const signature = found.get(headNames.signature)?.toString();
  const plan = planBundle(manifestBytes, manifest, signature);
  // Headers and padding of the head too: one byte that differs anywhere is found.
  for (const entry of plan.head) {
    const end = entry.offset + Math.ceil(entry.sizeBytes / 512) * 512;
    const wanted = Buffer.alloc(end - entry.headerOffset);
    entry.header.copy(wanted);
    entry.content.copy(wanted, 512);
    const there = await file.read(entry.headerOffset, wanted.length);
    if (!there.equals(wanted)) throw damaged(path, `its ${entry.name} is not as it was written`);
  }
  const openBlob = (blob: BlobDescriptor, { startByte = 0, endByte, signal }: OpenBlobOptions = {}): Readable => {
    const offset = plan.blobs.get(blob.digest)?.offset ?? 0;
    const last = Math.min(endByte ?? blob.sizeBytes, blob.sizeBytes);
    return file.stream({ startByte: offset + startByte, endByte: offset + last, signal });
  };
  return {
    path,
    manifest,
    manifestBytes,
    manifestDigest,
    signature,
    file,
    plan,
    store: storeOf(path, file, plan, index),
    openBlob,
    close: () => file.close(),
  };
}

function storeOf(path: string, file: PartedFile, plan: TarPlan, index: Buffer): LocalOciStore {
  const entries = parseLayoutIndex(index.toString(), path);
  const byName = new Map([...plan.blobs.values(), ...plan.head].map((entry) => [entry.name, entry]));
  const files: LayoutFiles = {
    description: path,
    size: (name) => Promise.resolve(byName.get(name)?.sizeBytes),
    async read(name) {
      const entry = byName.get(name);
      return entry && file.read(entry.offset, entry.sizeBytes);
    },
    readInto(name, memory, position) {
      const { offset, sizeBytes } = byName.get(name) ?? { offset: 0, sizeBytes: 0 };
      const room = Math.max(0, Math.min(memory.length, sizeBytes - position));
      return file.readInto(memory.subarray(0, room), offset + position);
    },
    open(name, { startByte = 0, endByte, signal }) {
      const { offset, sizeBytes } = byName.get(name) ?? { offset: 0, sizeBytes: 0 };
      const end = Math.min(endByte ?? sizeBytes, sizeBytes);
      return file.stream({ startByte: offset + startByte, endByte: offset + end, signal });
    },
    close: () => file.close(),
  };
  return createLayoutReader({ files, entries: () => entries });
}

function cutInHead(path: string, file: PartedFile): Error {
  return bundleUsage(
    'TRUNCATED',
    `${path} was cut off within its table of contents: it has ${file.sizeBytes} bytes`,
    'copy it again, and compare the sizes',
  );
}

/** Whether the path names a bundle, or a part of one, that is there. */
export async function bundleExists(path: string): Promise<boolean> {
  const [first = path] = await findParts(path);
  return stat(first).then(
    (found) => found.isFile(),
    () => false,
  );
}
