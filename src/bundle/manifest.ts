import * as z from 'zod';
import { messageOf } from '../errors.ts';
import { digestOf, isDigest, type Digest } from '../oci/digest.ts';
import type { BlobDescriptor, Platform } from '../oci/manifest.ts';
import { parsePlatform } from '../oci/platform.ts';
import { bundleUsage, damaged, notABundle } from './bundle-errors.ts';

/** Version of the format (docs/bundle-format.md). A reader refuses one that it does not know. */
export const bundleFormatVersion = 1;
export const bundleFormatName = 'installer-bundle';

/**
 * How the digest came to be known. `catalog`: pinned in the version catalog. `reference`: it stands in the image reference, or in the cluster file.
 * `tag`: the registry said what its tag names, and nobody else. `signed`: an index says it that its repository's key has signed. `published`: the publisher's own checksum file, nothing else vouches for it.
 * `local`: made by, or given to, the program that made the bundle.
 */
export const pins = ['catalog', 'reference', 'tag', 'signed', 'published', 'local'] as const;
export type Pin = (typeof pins)[number];

/** One thing that is wanted from a bundle. */
export interface BundleItem {
  /**
   * `image` is an image with its manifests and blobs; every other kind is one file: `binary`, `installer`, `sbom`, `package` (one of a
   * distribution), `package-index` (what apt or dnf reads to find it), `chart` (a packed Helm chart) or `file` (whatever the cluster file
   * names). Kinds that a reader does not know are files to it: kept, verified, served and pushed as such.
   */
  readonly kind: string;
  /** An image's whole reference; else the name: `kubelet`. */
  readonly name: string;
  readonly version?: string | undefined;
  /** `linux/amd64`; empty for what is good for all. */
  readonly platforms: readonly string[];
  /** Who asked for it, one sentence each. */
  readonly why: readonly string[];
  /** Of the file, or of the image's manifest or index. */
  readonly digest: Digest;
  /** Of all its blobs together. */
  readonly sizeBytes: number;
  /** Of an image's manifest or index. */
  readonly mediaType?: string | undefined;
  /** Where it comes from: the publisher's address, whatever mirror was asked. */
  readonly origin: string;
  readonly pin: Pin;
  /** Where hosts ask for the published checksum. */
  readonly checksumUrl?: string | undefined;
  /** Of a package, in the words of its distribution: `all`, `x86_64`. */
  readonly architecture?: string | undefined;
  /** Of a package: what hosts ask for it by, beside its name. */
  readonly provides?: readonly string[] | undefined;
  /** Further places where it is served and laid out: `packages/debian-12-amd64/pool/jq_1.6_amd64.deb`. */
  readonly paths?: readonly string[] | undefined;
  /** Every blob that it consists of, manifests of images included. */
  readonly blobs: readonly Digest[];
}

/** What is in a bundle: the content of `bundle.json`. */
export interface BundleManifest {
  /** Version of the program that planned it. */
  readonly installer: string;
  readonly cluster: string;
  /** Kubernetes versions, in the order in which a cluster goes through them. */
  readonly kubernetes: readonly string[];
  readonly platforms: readonly string[];
  /** `index.json` of the image layout. */
  readonly index: BlobDescriptor;
  readonly items: readonly BundleItem[];
  /** The blobs in this file, in the order in which they lie. */
  readonly blobs: readonly BlobDescriptor[];
  /** Of a delta: the manifest of the bundle that has the rest, and what is taken from there. */
  readonly base?: { readonly manifest: Digest; readonly blobs: readonly BlobDescriptor[] } | undefined;
}

const digest = z.string().refine(isDigest, { error: 'is not a digest' });
const size = z.number().int().nonnegative();
const blob = z.looseObject({ digest, size }).transform((value) => ({ digest: value.digest, sizeBytes: value.size }));
const texts = z.array(z.string());

const schema = z.looseObject({
  format: z.literal(bundleFormatName),
  version: z.literal(bundleFormatVersion),
  installer: z.string(),
  cluster: z.string(),
  kubernetes: texts,
  platforms: texts,
  index: blob,
  items: z.array(
    z
      .looseObject({
        kind: z.string(),
        name: z.string(),
        version: z.string().optional(),
        platforms: texts,
        why: texts,
        digest,
        size,
        mediaType: z.string().optional(),
        origin: z.string(),
        pin: z.enum(pins),
        checksumUrl: z.string().optional(),
        architecture: z.string().optional(),
        provides: texts.optional(),
        paths: texts.optional(),
        blobs: z.array(digest),
      })
      .transform((value): BundleItem => ({ ...pick(value), sizeBytes: value.size })),
  ),
  blobs: z.array(blob),
  base: z.looseObject({ manifest: digest, blobs: z.array(blob) }).optional(),
});

function pick(value: Omit<BundleItem, 'sizeBytes'>): Omit<BundleItem, 'sizeBytes'> {
  const { kind, name, version, platforms, why, digest: own, mediaType, origin, pin, checksumUrl, blobs } = value;
  const { architecture, provides, paths } = value;
  return {
    kind,
    name,
    ...(version === undefined ? {} : { version }),
    platforms,
    why,
    digest: own,
    ...(mediaType === undefined ? {} : { mediaType }),
    origin,
    pin,
    ...(checksumUrl === undefined ? {} : { checksumUrl }),
    ...(architecture === undefined ? {} : { architecture }),
    ...(provides === undefined ? {} : { provides: sorted(provides) }),
    ...(paths === undefined ? {} : { paths: sorted(paths) }),
    blobs,
  };
}

/** The bytes of `bundle.json`: the same manifest gives the same bytes. Lists are put in order, keys stand as here. */
export function renderBundleManifest(manifest: BundleManifest): Buffer {
  const toJson = ({ digest: own, sizeBytes }: BlobDescriptor): object => ({ digest: own, size: sizeBytes });
  const items = manifest.items.toSorted(byItem).map(({ sizeBytes, ...item }) => ({
    ...pick({ ...item, platforms: sorted(item.platforms), why: sorted(item.why), blobs: sorted(item.blobs) }),
    size: sizeBytes,
  }));
  const value = {
    format: bundleFormatName,
    version: bundleFormatVersion,
    installer: manifest.installer,
    cluster: manifest.cluster,
    kubernetes: manifest.kubernetes,
    platforms: sorted(manifest.platforms),
    index: toJson(manifest.index),
    items,
    blobs: manifest.blobs.toSorted(byDigest).map(toJson),
    ...(manifest.base === undefined
      ? {}
      : {
          base: { manifest: manifest.base.manifest, blobs: manifest.base.blobs.toSorted(byDigest).map(toJson) },
        }),
  };
  return Buffer.from(`${JSON.stringify(value, null, 1)}\n`);
}

/** The marker that a bundle begins with: which format, and which manifest. */
export function renderMarker(manifestBytes: Uint8Array): Buffer {
  const value = { format: bundleFormatName, version: bundleFormatVersion, manifest: digestOf(manifestBytes) };
  return Buffer.from(`${JSON.stringify(value)}\n`);
}

/** The digest of `bundle.json` that a marker names. BUNDLE_INVALID or BUNDLE_VERSION_UNKNOWN where it is not one of ours. */
export function parseMarker(text: string, path: string): Digest {
  let value: { format?: unknown; version?: unknown; manifest?: unknown } | null;
  try {
    value = JSON.parse(text) as typeof value;
  } catch {
    throw notABundle(path, 'its marker is not JSON');
  }
  if (value?.format !== bundleFormatName) throw notABundle(path, 'its marker names another format');
  if (value.version !== bundleFormatVersion) {
    throw bundleUsage(
      'VERSION_UNKNOWN',
      `${path} is a bundle of format version ${String(value.version)}; this program knows version ${bundleFormatVersion}`,
      'use the installer that the bundle was made with, or a newer one',
    );
  }
  if (typeof value.manifest !== 'string' || !isDigest(value.manifest))
    throw damaged(path, 'its marker names no manifest');
  return value.manifest;
}

/** Reads `bundle.json`, loosely: fields of later writers are ignored. BUNDLE_DAMAGED where it cannot be used. */
export function parseBundleManifest(bytes: Uint8Array, path: string): BundleManifest {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw damaged(path, `bundle.json is not JSON: ${messageOf(error)}`);
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw damaged(path, `bundle.json cannot be used: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`);
  }
  const { installer, cluster, kubernetes, platforms, index, items, blobs, base } = parsed.data;
  return { installer, cluster, kubernetes, platforms, index, items, blobs, ...(base === undefined ? {} : { base }) };
}

/** Order of items: by kind, name, version and platforms. */
export function byItem(a: BundleItem, b: BundleItem): number {
  const key = (item: BundleItem): string =>
    [item.kind, item.name, item.version ?? '', sorted(item.platforms).join(','), item.digest].join('\0');
  return compare(key(a), key(b));
}

/**
 * What makes an item the same thing in two bundles: an image and a package may be there for more platforms. A package of one name
 * and version is made anew by each distribution, so its digest belongs to it.
 */
export function itemKey({ kind, name, version, platforms, digest: own }: BundleItem): string {
  const more = kind === 'image' ? [] : kind === 'package' ? [own] : sorted(platforms);
  return [kind, name, version ?? '', ...more].join(' ');
}

export function byDigest(a: BlobDescriptor, b: BlobDescriptor): number {
  return compare(a.digest, b.digest);
}

/** The platforms that an image is there for: of a merged bundle not those of the others. Undefined for what is good for all. */
export function platformsOf({ platforms }: BundleItem): readonly Platform[] | undefined {
  return platforms.length === 0 ? undefined : platforms.map(parsePlatform);
}

/** Code units, not a locale: the same order on every machine. */
function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function sorted<T extends string>(values: readonly T[]): T[] {
  return [...new Set(values)].sort(compare);
}
