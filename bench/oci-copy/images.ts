import { createCipheriv } from 'node:crypto';
import { Readable } from 'node:stream';
import { digestOf } from '../../src/oci/digest.ts';
import { toStoredManifest, type Descriptor } from '../../src/oci/manifest.ts';
import { mediaTypes } from '../../src/oci/media-types.ts';
import { parseReference, type Reference } from '../../src/oci/reference.ts';
import type { WritableOciStore } from '../../src/oci/store.ts';

/** The images of the bench: like a platform's, many small layers of their own over few large ones that they share. */
export const imageCount = 100;
const bases = 12;
const baseBytes = 30_000_000;
const runtimes = 10;
const runtimeBytes = 15_000_000;
const ownBytes = [4_600_000, 800_000, 20_000] as const;

/** What a Kubernetes version needs by name; the bench has them among its images, so that a cluster file can ask for them. */
const named = ['etcd', 'coredns', 'pause', 'agnhost'];

/** Name of an image in a registry. */
export function imageName(registry: string, index: number, prefix = 'src'): Reference {
  return parseReference(`${registry}/${prefix}/${named[index] ?? `app${index}`}:v1`);
}

/** A blob, and a repository that has it: registries serve blobs through repositories. */
export interface BenchBlob {
  readonly descriptor: Descriptor;
  readonly repository: string;
}

/** Fills a store with the images under the names of a registry. Returns all different blobs. */
export async function fillStore(store: WritableOciStore, registry: string): Promise<readonly BenchBlob[]> {
  const put = new Map<string, Descriptor>();
  const blobs: BenchBlob[] = [];
  const blob = async (seed: string, size: number, mediaType: string, name: Reference): Promise<Descriptor> => {
    const known = put.get(seed);
    if (known !== undefined) return known;
    const bytes = mediaType === mediaTypes.ociConfig ? Buffer.from(seed) : noise(seed, size);
    const descriptor = { mediaType, digest: digestOf(bytes), sizeBytes: bytes.length };
    await store.putBlob(name, descriptor, () => Promise.resolve(Readable.from([bytes])));
    put.set(seed, descriptor);
    blobs.push({ descriptor, repository: name.repository });
    return descriptor;
  };
  for (let index = 0; index < imageCount; index += 1) {
    const name = imageName(registry, index);
    const layers = [
      await blob(`base${index % bases}`, baseBytes, mediaTypes.ociLayerGzip, name),
      await blob(`runtime${index % runtimes}`, runtimeBytes, mediaTypes.ociLayerGzip, name),
    ];
    for (const [part, size] of ownBytes.entries()) {
      layers.push(await blob(`own${index}-${part}`, size, mediaTypes.ociLayerGzip, name));
    }
    const diffIds = layers.map(({ digest }) => digest);
    const configText = JSON.stringify({
      os: 'linux',
      architecture: 'amd64',
      config: {},
      rootfs: { type: 'layers', diff_ids: diffIds },
    });
    const config = await blob(configText, 0, mediaTypes.ociConfig, name);
    const toJson = ({ mediaType, digest, sizeBytes }: Descriptor): object => ({ mediaType, digest, size: sizeBytes });
    const body = {
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: toJson(config),
      layers: layers.map(toJson),
    };
    await store.putManifest(name, toStoredManifest(Buffer.from(JSON.stringify(body)), mediaTypes.ociManifest));
  }
  return blobs;
}

/** Bytes that do not compress, the same for the same seed in each run. */
function noise(seed: string, size: number): Buffer {
  const key = Buffer.from(digestOf(seed).slice(7), 'hex');
  return createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(size));
}
