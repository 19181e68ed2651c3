import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { digestOf } from '../../../src/oci/digest.ts';
import { toStoredManifest, type Descriptor, type Platform, type StoredManifest } from '../../../src/oci/manifest.ts';
import { mediaTypes } from '../../../src/oci/media-types.ts';
import { withDigest, type Reference } from '../../../src/oci/reference.ts';
import type { WritableOciStore } from '../../../src/oci/store.ts';

/** An image in memory: its manifest and the blobs that it names. */
export interface TestImage {
  readonly manifest: StoredManifest;
  readonly blobs: readonly TestBlob[];
}

/** An index in memory, with its images. */
export interface TestIndex {
  readonly manifest: StoredManifest;
  readonly images: readonly TestImage[];
}

export interface TestBlob {
  readonly descriptor: Descriptor;
  readonly bytes: Buffer;
}

/** A blob of bytes that were never seen before. */
export function randomBlob(sizeBytes: number, mediaType: string = mediaTypes.ociLayerGzip): TestBlob {
  return toBlob(randomBytes(sizeBytes), mediaType);
}

/** A layer that really is compressed; programs that look into layers would compress another one. */
export function gzipBlob(content: Buffer): TestBlob {
  return toBlob(gzipSync(content), mediaTypes.ociLayerGzip);
}

/** A blob of these bytes. */
export function toBlob(bytes: Buffer, mediaType: string): TestBlob {
  return { bytes, descriptor: { mediaType, digest: digestOf(bytes), sizeBytes: bytes.length } };
}

let images = 0;

/** An image of these layers, with a configuration of its own. */
export function makeImage(
  layers: readonly TestBlob[],
  { platform = { os: 'linux', architecture: 'amd64' }, subject }: { platform?: Platform; subject?: Descriptor } = {},
): TestImage {
  images += 1;
  const diffIds = layers.map(({ descriptor }) => descriptor.digest);
  const config = toBlob(
    Buffer.from(
      JSON.stringify({
        ...platform,
        config: { Labels: { number: `${images}` } },
        rootfs: { type: 'layers', diff_ids: diffIds },
      }),
    ),
    mediaTypes.ociConfig,
  );
  const body = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: toJson(config.descriptor),
    layers: layers.map(({ descriptor }) => toJson(descriptor)),
    ...(subject === undefined ? {} : { artifactType: 'application/vnd.example.signature', subject: toJson(subject) }),
  };
  const manifest = toStoredManifest(Buffer.from(JSON.stringify(body, null, 3)), mediaTypes.ociManifest);
  return { manifest, blobs: [config, ...layers] };
}

/** An index over images of these platforms. */
export function makeIndex(members: readonly { readonly platform: Platform; readonly image: TestImage }[]): TestIndex {
  const manifests = members.map(({ platform, image }) => ({ ...toJson(image.manifest.descriptor), platform }));
  const text = JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests }, null, 2);
  return {
    manifest: toStoredManifest(Buffer.from(text), mediaTypes.ociIndex),
    images: members.map(({ image }) => image),
  };
}

/** Puts an image into a store under a name. */
export async function putImage(store: WritableOciStore, name: Reference, image: TestImage): Promise<void> {
  for (const { descriptor, bytes } of image.blobs) {
    await store.putBlob(name, descriptor, (startByte) => Promise.resolve(Readable.from([bytes.subarray(startByte)])));
  }
  await store.putManifest(name, image.manifest);
}

/** Puts an index and all its images into a store. */
export async function putIndex(store: WritableOciStore, name: Reference, index: TestIndex): Promise<void> {
  for (const image of index.images) await putImage(store, withDigest(name, image.manifest.descriptor.digest), image);
  await store.putManifest(name, index.manifest);
}

function toJson({ mediaType, digest, sizeBytes }: Descriptor): { mediaType: string; digest: string; size: number } {
  return { mediaType, digest, size: sizeBytes };
}
