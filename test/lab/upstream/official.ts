import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { execa } from 'execa';
import { cachedDir, contentKey } from './cache.ts';
import { minorContent, type UpstreamParts } from './content.ts';
import { fileSha256, type Downloads } from './downloads.ts';
import type { BuildContext } from './go-build.ts';
import { kubernetesFile, releaseFilesOf, type ReleaseFile } from './release-files.ts';
import { repositoryAndTag, type ServedImage } from './registry-storage.ts';
import { upstreamMinors, type UpstreamMinor } from './versions.ts';

/** Whether the official download site answers within 3 s. */
export async function officialReachable(): Promise<boolean> {
  const signal = AbortSignal.timeout(3000);
  return fetch('https://dl.k8s.io/release/stable.txt', { method: 'HEAD', signal }).then(
    ({ ok }) => ok,
    () => false,
  );
}

/** The official files and images of the minors, downloaded where the cache lacks them; needs skopeo for the images. */
export async function officialParts(minors: readonly UpstreamMinor[], context: BuildContext): Promise<UpstreamParts> {
  const parts: UpstreamParts = { downloads: [], minors: [], images: [] };
  for (const minor of minors) {
    const downloads = await officialDownloads(minor, context);
    const { kubernetes } = upstreamMinors[minor];
    const content = await minorContent(minor, join(downloads.tree, kubernetesFile(kubernetes, 'kubeadm').path));
    parts.downloads.push(downloads);
    parts.minors.push(content);
    for (const image of [...content.images, ...content.flannelImages, content.agnhost]) {
      parts.images.push(await officialImage(image, context));
    }
  }
  return parts;
}

async function officialDownloads(minor: UpstreamMinor, context: BuildContext): Promise<Downloads> {
  const files = releaseFilesOf(minor);
  const dir = await cachedDir({
    kind: 'upstream/official',
    key: `${minor}-${contentKey({ files, layout: 1 })}`,
    log: context.log,
    signal: context.signal,
    build: async (target) => {
      const checksums: Record<string, string> = {};
      for (const file of files) checksums[file.path] = await downloadChecked(file, join(target, 'tree'), context);
      await chmod(join(target, 'tree', kubernetesFile(upstreamMinors[minor].kubernetes, 'kubeadm').path), 0o755);
      await writeFile(join(target, 'checksums.json'), JSON.stringify(checksums));
    },
  });
  const checksums = JSON.parse(await readFile(join(dir, 'checksums.json'), 'utf8')) as Record<string, string>;
  return { tree: join(dir, 'tree'), checksums };
}

/** Downloads a file and its checksum file; returns the SHA-256, which must be the published one. */
async function downloadChecked(file: ReleaseFile, tree: string, context: BuildContext): Promise<string> {
  for (const path of [file.checksumPath, file.path]) {
    context.log(`downloading ${path}`);
    await mkdir(dirname(join(tree, path)), { recursive: true });
    const response = await fetch(`https://${path}`, context.signal ? { signal: context.signal } : {});
    if (!response.ok || !response.body) throw new Error(`https://${path} answered ${response.status}`);
    await pipeline(Readable.fromWeb(response.body), createWriteStream(join(tree, path)));
  }
  const published = publishedSha256(await readFile(join(tree, file.checksumPath), 'utf8'), basename(file.path));
  const actual = await fileSha256(join(tree, file.path));
  if (published !== actual) throw new Error(`${file.path} has SHA-256 ${actual}, published is ${published ?? 'none'}`);
  return actual;
}

/** The SHA-256 of the named file in a checksum file's text: bare, or a line as sha256sum prints it. */
export function publishedSha256(text: string, name: string): string | undefined {
  for (const line of text.trim().split('\n')) {
    const match = /^([0-9a-f]{64})(?:\s+\*?(?:\S*\/)?(\S+))?\s*$/.exec(line);
    if (match && (match[2] === undefined || match[2] === name)) return match[1];
  }
  return undefined;
}

async function officialImage(image: string, context: BuildContext): Promise<ServedImage> {
  const layout = await cachedDir({
    kind: 'upstream/official-images',
    key: image.replaceAll(/[/:]/g, '_'),
    log: context.log,
    signal: context.signal,
    build: async (dir) => {
      context.log(`copying ${image}`);
      const platform = ['--override-os', 'linux', '--override-arch', 'amd64'];
      await execa('skopeo', ['copy', '--quiet', ...platform, `docker://${image}`, `oci:${dir}`], {
        stdin: 'ignore',
        ...(context.signal ? { cancelSignal: context.signal } : {}),
      });
    },
  });
  return { ...repositoryAndTag(image), layout };
}
