import { InstallerError } from '../errors.ts';
import { readDescriptor, type Descriptor } from './manifest.ts';
import { mediaTypes } from './media-types.ts';
import { formatReference, parseReference, type Reference } from './reference.ts';

/** Annotations that carry the name of an image in the index of a layout. */
export const nameAnnotation = 'org.opencontainers.image.ref.name';
const containerdName = 'io.containerd.image.name';

/** The text of `oci-layout`. */
export const layoutMarker = '{"imageLayoutVersion":"1.0.0"}';

/** Host and repository that images without a name get; their digest tells them apart. */
const nameless = { registry: 'localhost', repository: 'unnamed' } as const;

/** Reads `index.json` of a layout; InstallerError OCI_LAYOUT_INVALID where it cannot be used. */
export function parseLayoutIndex(text: string, where: string): Descriptor[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw layoutInvalid(where, 'its index.json is not JSON', error);
  }
  const manifests = (value as { manifests?: unknown } | null)?.manifests;
  if (!Array.isArray(manifests)) throw layoutInvalid(where, 'its index.json has no list of manifests');
  return manifests.map((item, index) => readDescriptor(item, `index.json of ${where}`, `manifests[${index}]`));
}

/** The text of `index.json`, in the order given: the same entries give the same bytes. */
export function renderLayoutIndex(entries: readonly Descriptor[]): string {
  const manifests = entries.map(({ mediaType, digest, sizeBytes, platform, artifactType, annotations }) => ({
    mediaType,
    digest,
    size: sizeBytes,
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(annotations === undefined ? {} : { annotations }),
    ...(platform === undefined ? {} : { platform }),
  }));
  return JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests });
}

/** The entry of a tagged image. skopeo, crane and this program find it by the whole name, containerd's import too. */
export function namedEntry(reference: Reference, descriptor: Descriptor): Descriptor {
  const name = formatReference({ ...reference, digest: undefined });
  const annotations = { [containerdName]: name, [nameAnnotation]: name };
  return { mediaType: descriptor.mediaType, digest: descriptor.digest, sizeBytes: descriptor.sizeBytes, annotations };
}

/** The index with an entry put in: one of the same name is replaced, or one of the same digest where it has no name. */
export function withEntry(entries: readonly Descriptor[], entry: Descriptor): Descriptor[] {
  const name = nameOf(entry);
  const isSame = (other: Descriptor): boolean =>
    name === undefined ? other.digest === entry.digest && nameOf(other) === undefined : nameOf(other) === name;
  return entries.some(isSame) ? entries.map((other) => (isSame(other) ? entry : other)) : [...entries, entry];
}

/**
 * The entry that a tagged reference names. Other programs write whole names, names of Docker Hub without its host, or a tag
 * alone; a whole name goes before a tag.
 */
export function findEntry(entries: readonly Descriptor[], reference: Reference): Descriptor | undefined {
  const wanted = formatReference({ ...reference, digest: undefined });
  const whole = entries.find((entry) =>
    [entry.annotations?.[containerdName], nameOf(entry)].some((name) => isName(name, wanted)),
  );
  return whole ?? entries.find((entry) => nameOf(entry) === reference.tag && reference.tag !== undefined);
}

/** The reference an entry is found by. An entry without a whole name gets a made-up repository, and its digest. */
export function referenceOf(entry: Descriptor): Reference {
  const name = entry.annotations?.[containerdName] ?? nameOf(entry);
  if (name !== undefined && /[/:]/.test(name)) {
    const reference = tryParse(name);
    if (reference !== undefined) return reference;
  }
  return { ...nameless, ...(name === undefined ? {} : { tag: name }), digest: entry.digest };
}

export function layoutInvalid(where: string, why: string, cause?: unknown): InstallerError {
  return new InstallerError({
    code: 'OCI_LAYOUT_INVALID',
    message: `${where} cannot be used as an OCI image layout: ${why}`,
    remedy: 'give the folder, or the uncompressed tar, that holds oci-layout, index.json and blobs/',
    cause,
  });
}

function nameOf(entry: Descriptor): string | undefined {
  return entry.annotations?.[nameAnnotation];
}

function isName(name: string | undefined, wanted: string): boolean {
  if (name === undefined || !/[/:]/.test(name)) return false;
  const reference = tryParse(name);
  return reference !== undefined && formatReference({ ...reference, digest: undefined }) === wanted;
}

function tryParse(name: string): Reference | undefined {
  try {
    return parseReference(name);
  } catch {
    return undefined;
  }
}
