import { InstallerError } from '../errors.ts';
import { digestOf, isDigest, splitDigest, type Digest } from './digest.ts';
import { isForeignLayer, isImageManifest, isIndex, mediaTypes } from './media-types.ts';

/** What a blob or manifest is and where a store keeps it: by digest. */
export interface BlobDescriptor {
  readonly digest: Digest;
  readonly sizeBytes: number;
}

/** A descriptor of the OCI image specification; `size` is called `sizeBytes` here. Fields that nobody needs are not kept. */
export interface Descriptor extends BlobDescriptor {
  readonly mediaType: string;
  readonly platform?: Platform | undefined;
  readonly artifactType?: string | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
}

/** Operating system and architecture, in Go's names: linux, amd64, arm64, v8. */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string | undefined;
}

/** The bytes of a manifest as the publisher made them, and what they are. They are stored and sent unchanged. */
export interface StoredManifest {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
}

/** A manifest of one image (or artifact, or chart). */
export interface ImageManifest {
  readonly kind: 'image';
  readonly mediaType: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly artifactType?: string | undefined;
  readonly subject?: Descriptor | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
}

/** An index: manifests, for several platforms or kinds. */
export interface IndexManifest {
  readonly kind: 'index';
  readonly mediaType: string;
  readonly manifests: readonly Descriptor[];
  readonly artifactType?: string | undefined;
  readonly subject?: Descriptor | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
}

export type Manifest = ImageManifest | IndexManifest;

/** Largest manifest that is accepted: what registries allow at most. */
export const maxManifestBytes = 4 * 1024 * 1024;

/**
 * Reads a manifest or index, loosely: unknown fields are ignored. `where` is for the error, OCI_MANIFEST_INVALID.
 * The kind is decided by the document's own `mediaType`, else by what the store said, else by its fields.
 */
export function parseManifest({ bytes, descriptor }: StoredManifest, where: string): Manifest {
  const json = parseJson(bytes, where);
  const mediaType = typeof json['mediaType'] === 'string' ? json['mediaType'] : descriptor.mediaType;
  if (json['schemaVersion'] === 1) {
    throw invalid(where, 'it is of schema version 1, which registries no longer serve', 'push the image again');
  }
  const common = {
    artifactType: optionalText(json['artifactType']),
    subject: json['subject'] === undefined ? undefined : readDescriptor(json['subject'], where, 'subject'),
    annotations: readAnnotations(json['annotations']),
  };
  if (isIndex(mediaType) || (!isImageManifest(mediaType) && Array.isArray(json['manifests']))) {
    const manifests = readList(json['manifests'], where, 'manifests');
    return { kind: 'index', mediaType: isIndex(mediaType) ? mediaType : mediaTypes.ociIndex, manifests, ...common };
  }
  if (!isImageManifest(mediaType) && json['config'] === undefined) {
    throw invalid(where, `it is neither a manifest nor an index (media type '${mediaType}')`);
  }
  return {
    kind: 'image',
    mediaType: isImageManifest(mediaType) ? mediaType : mediaTypes.ociManifest,
    config: readDescriptor(json['config'], where, 'config'),
    layers: readList(json['layers'], where, 'layers'),
    ...common,
  };
}

/** Makes a stored manifest out of bytes, computing the digest. */
export function toStoredManifest(bytes: Uint8Array, mediaType: string): StoredManifest {
  return { bytes, descriptor: { mediaType, digest: digestOf(bytes), sizeBytes: bytes.length } };
}

/** Every blob that an image manifest needs, each once; layers that others may not serve are left out. */
export function blobsOf(manifest: ImageManifest): Descriptor[] {
  const blobs = [manifest.config, ...manifest.layers.filter(({ mediaType }) => !isForeignLayer(mediaType))];
  return [...new Map(blobs.map((blob) => [blob.digest, blob])).values()];
}

/** The bytes of a manifest, after a check that they are the ones of the descriptor; OCI_WRONG_DIGEST where they are not. */
export function checkManifest(bytes: Uint8Array, digest: Digest, where: string): void {
  const actual = digestOf(bytes, splitDigest(digest).algorithm);
  if (actual === digest) return;
  throw new InstallerError({
    code: 'OCI_WRONG_DIGEST',
    message: `the manifest of ${where} is not the one that was asked for: its digest is ${actual}, not ${digest}`,
    remedy: 'look for a proxy that changes contents, or a damaged store',
  });
}

/** Reads one descriptor out of JSON; `field` says where it stood. */
export function readDescriptor(value: unknown, where: string, field: string): Descriptor {
  if (!isObject(value)) throw invalid(where, `'${field}' is not a descriptor`);
  const { mediaType, digest, size } = value;
  if (typeof digest !== 'string' || !isDigest(digest))
    throw invalid(where, `'${field}' has no digest that can be verified`);
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) {
    throw invalid(where, `'${field}' has no size`);
  }
  return {
    mediaType: typeof mediaType === 'string' ? mediaType : mediaTypes.octets,
    digest,
    sizeBytes: size,
    ...pickDefined({
      platform: readPlatform(value['platform']),
      artifactType: optionalText(value['artifactType']),
      annotations: readAnnotations(value['annotations']),
    }),
  };
}

function readList(value: unknown, where: string, field: string): Descriptor[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw invalid(where, `'${field}' is not a list`);
  return value.map((item, index) => readDescriptor(item, where, `${field}[${index}]`));
}

function readPlatform(value: unknown): Platform | undefined {
  if (!isObject(value)) return undefined;
  const { os, architecture, variant } = value;
  if (typeof os !== 'string' || typeof architecture !== 'string') return undefined;
  return { os, architecture, ...(typeof variant === 'string' && variant !== '' ? { variant } : {}) };
}

function readAnnotations(value: unknown): Record<string, string> | undefined {
  if (!isObject(value)) return undefined;
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}

function parseJson(bytes: Uint8Array, where: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw invalid(where, 'it is not JSON', undefined, error);
  }
  if (!isObject(value)) throw invalid(where, 'it is not a JSON object');
  return value;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function optionalText(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function pickDefined<T extends object>(value: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}

function invalid(where: string, why: string, remedy?: string, cause?: unknown): InstallerError {
  return new InstallerError({
    code: 'OCI_MANIFEST_INVALID',
    message: `the manifest of ${where} cannot be used: ${why}`,
    remedy: remedy ?? 'check that the reference names an image, and that the registry holds it whole',
    cause,
  });
}
