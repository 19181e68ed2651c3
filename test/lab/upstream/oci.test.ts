import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { packDirectory } from './archive.ts';
import { blobPath, imageConfig, imageManifest, readLayout, sha256, writeLayout, type Layer } from './oci.ts';
import { repositoryAndTag, writeRegistryStorage } from './registry-storage.ts';

const layer: Layer = { file: '/nowhere', sha256: 'aa', uncompressedSha256: 'bb', size: 7 };
let work = '';

beforeEach(async () => {
  work = await mkdtemp(join(tmpdir(), 'lab-oci-'));
});

afterEach(async () => {
  await rm(work, { recursive: true });
});

async function smallLayer(): Promise<Layer> {
  const root = join(work, 'root');
  await mkdir(join(root, 'bin'), { recursive: true });
  await writeFile(join(root, 'bin/b'), 'b', { mode: 0o755 });
  await writeFile(join(root, 'bin/a'), 'a');
  const file = join(work, 'layer.tar.gz');
  return { file, ...(await packDirectory(root, file)) };
}

describe('packDirectory', () => {
  it('tells the digests of what it wrote, and writes the same bytes again', async () => {
    const first = await smallLayer();
    const bytes = await readFile(first.file);
    expect(first).toMatchObject({
      sha256: sha256(bytes),
      size: bytes.length,
      uncompressedSha256: sha256(gunzipSync(bytes)),
    });
    expect(await smallLayer()).toEqual(first);
  });

  it('fails when the directory is not there', async () => {
    await expect(packDirectory(join(work, 'none'), join(work, 'x.tar.gz'))).rejects.toThrow('tar of');
  });
});

describe('imageConfig', () => {
  it('names the layers by their uncompressed digests and leaves out what is not set', () => {
    expect(imageConfig([layer], {})).toEqual({
      architecture: 'amd64',
      os: 'linux',
      config: { Env: [expect.stringMatching(/^PATH=/)], WorkingDir: '/' },
      rootfs: { type: 'layers', diff_ids: ['sha256:bb'] },
      history: [{ created_by: 'installer lab' }],
    });
    expect(imageConfig([], { entrypoint: ['/agnhost'], cmd: ['pause'], user: '1:1' })).toMatchObject({
      config: { Entrypoint: ['/agnhost'], Cmd: ['pause'], User: '1:1' },
    });
  });
});

describe('imageManifest', () => {
  it('binds the exact configuration and the layers', () => {
    const config = Buffer.from('{}');
    const manifest = imageManifest(config, [layer]);
    expect(manifest.config).toMatchObject({ digest: `sha256:${sha256(config)}`, size: 2 });
    expect(manifest.layers).toEqual([
      { mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest: 'sha256:aa', size: 7 },
    ]);
  });
});

describe('an image', () => {
  it('goes from a layout into the registry storage', async () => {
    const layout = join(work, 'layout');
    const packed = await smallLayer();
    await writeLayout(layout, [packed], {});
    const { manifest, blobs } = await readLayout(layout);
    expect(blobs).toContain(`sha256:${packed.sha256}`);
    for (const digest of [manifest, ...blobs]) {
      expect(`sha256:${sha256(await readFile(blobPath(layout, digest)))}`).toBe(digest);
    }
    const storage = join(work, 'storage');
    const image = { repository: 'coredns/coredns', tag: 'v1', layout };
    await writeRegistryStorage(storage, [image, { ...image, tag: 'v2' }, { ...image, repository: 'other' }]);
    const root = join(storage, 'docker/registry/v2');
    const hex = packed.sha256;
    expect(sha256(await readFile(join(root, 'blobs/sha256', hex.slice(0, 2), hex, 'data')))).toBe(hex);
    const links = [
      `coredns/coredns/_layers/sha256/${hex}/link`,
      'coredns/coredns/_manifests/tags/v2/current/link',
      `other/_manifests/revisions/sha256/${manifest.slice(7)}/link`,
    ].map((path) => readFile(join(root, 'repositories', path), 'utf8'));
    expect(await Promise.all(links)).toEqual([`sha256:${hex}`, manifest, manifest]);
  });
});

describe('repositoryAndTag', () => {
  it.each([
    ['registry.k8s.io/coredns/coredns:v1.14.2', 'coredns/coredns', 'v1.14.2'],
    ['registry.k8s.io/pause:3.10', 'pause', '3.10'],
    ['localhost:5000/a/b:c', 'a/b', 'c'],
    ['library/nginx:1', 'library/nginx', '1'],
    ['nginx:1', 'nginx', '1'],
  ])('of %s', (image, repository, tag) => {
    expect(repositoryAndTag(image)).toEqual({ repository, tag });
  });

  it('refuses an image without a tag', () => {
    expect(() => repositoryAndTag('registry.k8s.io/pause')).toThrow('no tag');
    expect(() => repositoryAndTag('registry.k8s.io/pause@sha256:aa')).toThrow('no tag');
  });
});
