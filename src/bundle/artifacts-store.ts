import { Readable } from 'node:stream';
import { digestOf } from '../oci/digest.ts';
import { toStoredManifest, type StoredManifest } from '../oci/manifest.ts';
import { mediaTypes } from '../oci/media-types.ts';
import { formatReference, type Reference } from '../oci/reference.ts';
import type { OciStore } from '../oci/store.ts';
import type { Bundle } from './bundle.ts';
import type { BundleItem } from './manifest.ts';

/** Type of the artifacts that files of a bundle are in a registry. */
export const fileArtifactType = 'application/vnd.installer.file.v1';

const emptyBytes = Buffer.from('{}');
const emptyDigest = digestOf(emptyBytes);

/** The manifest that a file has in a registry: made of the item alone, so that it is the same each time. Pure. */
export function artifactManifest(item: BundleItem): StoredManifest {
  const title = /^https?:/.test(item.origin) ? new URL(item.origin).pathname.split('/').at(-1) : item.name;
  const text = JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    artifactType: fileArtifactType,
    config: { mediaType: mediaTypes.ociEmpty, digest: emptyDigest, size: emptyBytes.length },
    layers: [
      {
        mediaType: mediaTypes.octets,
        digest: item.digest,
        size: item.sizeBytes,
        annotations: { 'org.opencontainers.image.title': title === undefined || title === '' ? item.name : title },
      },
    ],
    annotations: {
      'org.opencontainers.image.source': item.origin,
      ...(item.version === undefined ? {} : { 'org.opencontainers.image.version': item.version }),
      'installer.kind': item.kind,
      ...(item.platforms.length === 0 ? {} : { 'installer.platforms': item.platforms.join(',') }),
    },
  });
  return toStoredManifest(Buffer.from(text), mediaTypes.ociManifest);
}

/** The name of a file among the images of a bundle: never seen outside, for a push maps it. */
export function artifactName(item: BundleItem): Reference {
  return { registry: 'localhost', repository: 'file', digest: artifactManifest(item).descriptor.digest };
}

/** The store of a bundle in which its files are artifacts too. */
export function storeWithFiles(bundle: Bundle): OciStore {
  const { store, manifest } = bundle;
  const files = manifest.items.filter(({ kind }) => kind !== 'image').map(artifactManifest);
  const byName = new Map(files.map((file) => [file.descriptor.digest as string, file]));
  const find = (reference: Reference): StoredManifest | undefined =>
    formatReference(reference).startsWith('localhost/file@') ? byName.get(reference.digest ?? '') : undefined;
  return {
    ...store,
    resolve: (reference, options) =>
      find(reference) === undefined ? store.resolve(reference, options) : Promise.resolve(find(reference)?.descriptor),
    readManifest: async (reference, options) => find(reference) ?? store.readManifest(reference, options),
    statBlob: (name, digest, options) =>
      digest === emptyDigest ? Promise.resolve(emptyBytes.length) : store.statBlob(name, digest, options),
    openBlob: (name, blob, options) =>
      blob.digest === emptyDigest
        ? Promise.resolve(Readable.from([emptyBytes.subarray(options?.startByte ?? 0)]))
        : store.openBlob(name, blob, options),
  };
}
