import { createHash } from 'node:crypto';
import { link, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { architecture } from './versions.ts';

/** A compressed layer in a file. */
export interface Layer {
  readonly file: string;
  /** SHA-256, hex, of the file. */
  readonly sha256: string;
  /** SHA-256, hex, of the tar stream within. */
  readonly uncompressedSha256: string;
  readonly size: number;
}

/** What an image runs when its pod does not say. */
export interface ImageSettings {
  readonly entrypoint?: readonly string[] | undefined;
  readonly cmd?: readonly string[] | undefined;
  readonly user?: string | undefined;
}

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

export interface ImageManifest extends Record<string, unknown> {
  readonly schemaVersion: 2;
  readonly mediaType: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

const manifestType = 'application/vnd.oci.image.manifest.v1+json';
const configType = 'application/vnd.oci.image.config.v1+json';
const layerType = 'application/vnd.oci.image.layer.v1.tar+gzip';

/** Image configuration as the OCI image specification has it; without times, so that equal content gives an equal digest. */
export function imageConfig(layers: readonly Layer[], settings: ImageSettings): Record<string, unknown> {
  return {
    architecture,
    os: 'linux',
    config: {
      Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
      ...(settings.entrypoint ? { Entrypoint: settings.entrypoint } : {}),
      ...(settings.cmd ? { Cmd: settings.cmd } : {}),
      ...(settings.user ? { User: settings.user } : {}),
      WorkingDir: '/',
    },
    rootfs: { type: 'layers', diff_ids: layers.map((layer) => `sha256:${layer.uncompressedSha256}`) },
    history: layers.map(() => ({ created_by: 'installer lab' })),
  };
}

/** Manifest that binds a configuration (its exact bytes) to layers, lowest first. */
export function imageManifest(config: Buffer, layers: readonly Layer[]): ImageManifest {
  return {
    schemaVersion: 2,
    mediaType: manifestType,
    config: { mediaType: configType, digest: `sha256:${sha256(config)}`, size: config.length },
    layers: layers.map(({ sha256: hex, size }) => ({ mediaType: layerType, digest: `sha256:${hex}`, size })),
  };
}

/** Writes an image as an OCI layout into an empty directory; layers are linked, so they must lie on the same file system. */
export async function writeLayout(dir: string, layers: readonly Layer[], settings: ImageSettings): Promise<void> {
  const blobs = join(dir, 'blobs', 'sha256');
  await mkdir(blobs, { recursive: true });
  const config = json(imageConfig(layers, settings));
  const manifest = json(imageManifest(config, layers));
  await writeFile(join(blobs, sha256(config)), config);
  await writeFile(join(blobs, sha256(manifest)), manifest);
  for (const layer of layers) await link(layer.file, join(blobs, layer.sha256));
  const descriptor = {
    mediaType: manifestType,
    digest: `sha256:${sha256(manifest)}`,
    size: manifest.length,
    platform: { os: 'linux', architecture },
  };
  await writeFile(join(dir, 'oci-layout'), json({ imageLayoutVersion: '1.0.0' }));
  await writeFile(join(dir, 'index.json'), json({ schemaVersion: 2, manifests: [descriptor] }));
}

/** Digest of the one image in an OCI layout, and of everything its manifest names. */
export async function readLayout(dir: string): Promise<{ manifest: string; blobs: string[] }> {
  const index = JSON.parse(await readFile(join(dir, 'index.json'), 'utf8')) as { manifests: Descriptor[] };
  const digest = index.manifests[0]?.digest;
  if (!digest || index.manifests.length !== 1) throw new Error(`${dir} does not hold exactly one image`);
  const manifest = JSON.parse(await readFile(blobPath(dir, digest), 'utf8')) as ImageManifest;
  return { manifest: digest, blobs: [manifest.config, ...manifest.layers].map((blob) => blob.digest) };
}

/** File of a blob (`sha256:<hex>`) in an OCI layout. */
export function blobPath(layout: string, digest: string): string {
  return join(layout, 'blobs', ...digest.split(':'));
}

export function sha256(content: Buffer | string): string {
  return createHash('sha256').update(content).digest('hex');
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}
