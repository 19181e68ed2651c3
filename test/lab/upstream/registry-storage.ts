import { link, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { blobPath, readLayout } from './oci.ts';

/** An image to be served: its name without registry host, its tag, and the OCI layout that holds it. */
export interface ServedImage {
  readonly repository: string;
  readonly tag: string;
  readonly layout: string;
}

/** Repository and tag of an image reference, without its registry host: `registry.k8s.io/coredns/coredns:v1` → coredns/coredns, v1. */
export function repositoryAndTag(image: string): { repository: string; tag: string } {
  const colon = image.lastIndexOf(':');
  const name = image.slice(0, colon);
  if (colon < 0 || name.includes('@')) throw new Error(`image ${image} has no tag`);
  const [first = '', ...rest] = name.split('/');
  const isHost = rest.length > 0 && (first.includes('.') || first.includes(':') || first === 'localhost');
  return { repository: isHost ? rest.join('/') : name, tag: image.slice(colon + 1) };
}

/**
 * Writes images into an empty directory in the way docker-registry (distribution's filesystem driver) keeps them. Blobs are
 * linked, so that neither time nor disk is spent on copies and no registry has to run meanwhile.
 */
export async function writeRegistryStorage(dir: string, images: readonly ServedImage[]): Promise<void> {
  const root = join(dir, 'docker', 'registry', 'v2');
  for (const { repository, tag, layout } of images) {
    const { manifest, blobs } = await readLayout(layout);
    for (const digest of new Set([manifest, ...blobs])) await linkBlob(root, layout, digest);
    const home = join(root, 'repositories', ...repository.split('/'));
    for (const digest of new Set(blobs)) await writeLink(join(home, '_layers', ...digest.split(':')), digest);
    const manifests = join(home, '_manifests');
    await writeLink(join(manifests, 'revisions', ...manifest.split(':')), manifest);
    await writeLink(join(manifests, 'tags', tag, 'current'), manifest);
    await writeLink(join(manifests, 'tags', tag, 'index', ...manifest.split(':')), manifest);
  }
}

async function linkBlob(root: string, layout: string, digest: string): Promise<void> {
  const [algorithm = '', hex = ''] = digest.split(':');
  const target = join(root, 'blobs', algorithm, hex.slice(0, 2), hex, 'data');
  await mkdir(dirname(target), { recursive: true });
  await link(blobPath(layout, digest), target).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  });
}

async function writeLink(dir: string, digest: string): Promise<void> {
  await mkdir(dir, { recursive: true });
  await writeFile(join(dir, 'link'), digest);
}
