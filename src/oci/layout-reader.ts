import { splitDigest, type Digest } from './digest.ts';
import type { LayoutFiles } from './layout-files.ts';
import { findEntry, layoutInvalid, parseLayoutIndex, referenceOf } from './layout-index.ts';
import { checkManifest, maxManifestBytes, parseManifest, type Descriptor, type StoredManifest } from './manifest.ts';
import { isManifest, mediaTypes } from './media-types.ts';
import { notFound } from './oci-errors.ts';
import { formatReference, withDigest, type Reference } from './reference.ts';
import type { LocalOciStore } from './store.ts';

/** Path of a blob inside a layout. */
export function blobPath(digest: Digest): string {
  const { algorithm, hex } = splitDigest(digest);
  return `blobs/${algorithm}/${hex}`;
}

/** What a layout is read with: its files, and the entries of its index as they are now. */
export interface LayoutContents {
  readonly files: LayoutFiles;
  readonly entries: () => readonly Descriptor[];
}

/** Reads marker and index; OCI_LAYOUT_INVALID where this is no layout of a version that is known. */
export async function readLayoutIndex(files: LayoutFiles): Promise<Descriptor[]> {
  const marker = await files.read('oci-layout');
  if (marker === undefined) throw layoutInvalid(files.description, 'it holds no file oci-layout');
  if (!/"imageLayoutVersion"\s*:\s*"1\.\d+\.\d+"/.test(marker.toString())) {
    throw layoutInvalid(files.description, `its version is not 1: ${marker.toString().slice(0, 80)}`);
  }
  const index = await files.read('index.json');
  if (index === undefined) throw layoutInvalid(files.description, 'it holds no index.json');
  return parseLayoutIndex(index.toString(), files.description);
}

/** The reading half of a store over the files of a layout. */
export function createLayoutReader({ files, entries }: LayoutContents): LocalOciStore {
  const where = files.description;

  const readBytes = async (digest: Digest): Promise<Buffer | undefined> => {
    const size = await files.size(blobPath(digest));
    // What is larger is no manifest, and not worth the memory.
    return size === undefined || size > maxManifestBytes ? undefined : files.read(blobPath(digest));
  };

  const describe = async (digest: Digest): Promise<Descriptor | undefined> => {
    const known = entries().find((entry) => entry.digest === digest);
    if (known !== undefined && isManifest(known.mediaType)) {
      const size = await files.size(blobPath(digest));
      return size === known.sizeBytes ? bare(known) : undefined;
    }
    const bytes = await readBytes(digest);
    if (bytes === undefined) return undefined;
    const { mediaType } = readManifestOf({ bytes, descriptor: { mediaType: '', digest, sizeBytes: bytes.length } });
    return { mediaType, digest, sizeBytes: bytes.length };
  };

  const readManifestOf = (manifest: StoredManifest): ReturnType<typeof parseManifest> =>
    parseManifest(manifest, `${manifest.descriptor.digest} in ${where}`);

  const resolve = async (reference: Reference): Promise<Descriptor | undefined> => {
    const digest = reference.digest ?? findEntry(entries(), reference)?.digest;
    return digest === undefined ? undefined : describe(digest);
  };

  const readManifest = async (reference: Reference): Promise<StoredManifest> => {
    const descriptor = await resolve(reference);
    const bytes = descriptor && (await readBytes(descriptor.digest));
    if (descriptor === undefined || bytes === undefined) throw notFound(formatReference(reference), where);
    checkManifest(bytes, descriptor.digest, `${formatReference(reference)} in ${where}`);
    return { descriptor, bytes };
  };

  return {
    description: where,
    isLocal: true,
    resolve,
    readManifest,
    statBlob: (_name, digest) => files.size(blobPath(digest)),
    async openBlob(_name, blob, options = {}) {
      const size = await files.size(blobPath(blob.digest));
      if (size === undefined)
        throw notFound(blob.digest, where, 'the layout is not whole: copy the image into it again');
      return files.open(blobPath(blob.digest), options);
    },
    readInto: (digest, memory, position) => files.readInto(blobPath(digest), memory, position),
    listReferences: () => Promise.resolve(entries().map(referenceOf)),
    listTags(name) {
      const references = entries().map(referenceOf);
      const tags = references
        .filter(({ registry, repository }) => registry === name.registry && repository === name.repository)
        .flatMap(({ tag }) => tag ?? []);
      return Promise.resolve([...new Set(tags)].sort());
    },
    async listReferrers(name, subject, options = {}) {
      const found: Descriptor[] = [];
      for (const { digest } of new Map(entries().map((entry) => [entry.digest, entry])).values()) {
        const manifest = await readManifest(withDigest(name, digest));
        const parsed = readManifestOf(manifest);
        if (parsed.subject?.digest === subject) found.push(referrerOf(manifest.descriptor, parsed));
      }
      const { artifactType } = options;
      return artifactType === undefined ? found : found.filter((item) => item.artifactType === artifactType);
    },
    close: () => files.close(),
  };
}

/** The descriptor that a list of referrers has for a manifest: with the type of the artifact, and its annotations. */
export function referrerOf(descriptor: Descriptor, manifest: ReturnType<typeof parseManifest>): Descriptor {
  const fallback = manifest.kind === 'image' ? manifest.config.mediaType : undefined;
  const artifactType = manifest.artifactType ?? (fallback === mediaTypes.ociEmpty ? undefined : fallback);
  return {
    ...bare(descriptor),
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(manifest.annotations === undefined ? {} : { annotations: manifest.annotations }),
  };
}

function bare({ mediaType, digest, sizeBytes }: Descriptor): Descriptor {
  return { mediaType, digest, sizeBytes };
}
