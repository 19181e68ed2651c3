import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdtemp, open, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openBundle } from '../../src/bundle/bundle.ts';
import { verifyBundle, type VerifyResult } from '../../src/bundle/verify.ts';
import { digestLines, renderTree } from '../../src/bundle/views.ts';
import { readBlob } from '../../src/oci/read-blob.ts';
import { parseReference } from '../../src/oci/reference.ts';
import { openTarLayout } from '../../src/oci/tar-layout.ts';
import type { ClusterConfig } from '../../src/spec/schema.ts';
import { bothPlatforms, openSite, versions, type Site } from '../support/bundle/site.ts';

let dir: string;
let site: Site | undefined;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bundle-'));
});

afterEach(async () => {
  await site?.close();
  site = undefined;
  await rm(dir, { recursive: true, force: true });
});

async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

async function verify(path: string): Promise<VerifyResult> {
  const bundle = await openBundle(path, { mayBeCut: true });
  try {
    return await verifyBundle(bundle);
  } finally {
    await bundle.close();
  }
}

it('makes a bundle that holds everything, once, and that is whole', async () => {
  site = await openSite(dir);
  const path = join(dir, 'site.tar');
  const result = await site.create({ path, platforms: bothPlatforms, upgradeTo: versions[1] });

  const { manifest } = result;
  expect(manifest.kubernetes).toEqual(versions);
  expect(new Set(manifest.items.map(({ kind }) => kind))).toEqual(new Set(['binary', 'image', 'sbom']));
  expect(new Set(manifest.blobs.map(({ digest }) => digest)).size).toBe(manifest.blobs.length);
  const sum = manifest.blobs.reduce((bytes, { sizeBytes }) => bytes + sizeBytes, 0);
  expect(result.fetchedBytes).toBe(sum);
  expect(await verify(path)).toMatchObject({ isWhole: true, problems: [] });
  expect((await readdir(dir)).filter((name) => name.includes('partial'))).toEqual([]);
});

it('is the same bytes each time', async () => {
  site = await openSite(dir);
  await site.create({ path: join(dir, 'a.tar'), platforms: bothPlatforms });
  await site.create({ path: join(dir, 'b.tar'), platforms: bothPlatforms.toReversed(), jobs: 1 });

  expect(await sha256Of(join(dir, 'a.tar'))).toBe(await sha256Of(join(dir, 'b.tar')));
});

it('fetches nothing where the very same bundle is there, and only what is new where another one is', async () => {
  site = await openSite(dir);
  const path = join(dir, 'site.tar');
  await site.create({ path });
  const before = site.sentBytes();

  const again = await site.create({ path });
  expect(again).toMatchObject({ wasThere: true, fetchedBytes: 0 });

  const more = await site.create({ path, upgradeTo: versions[1] });
  const fresh = await site.create({ path: join(dir, 'fresh.tar'), upgradeTo: versions[1] });
  expect(more.wasThere).toBe(false);
  expect(more.fetchedBytes).toBeLessThan(fresh.fetchedBytes);
  expect(more.keptBytes).toBeGreaterThan(0);
  expect(await sha256Of(path)).toBe(await sha256Of(join(dir, 'fresh.tar')));
  expect(site.sentBytes()).toBeGreaterThan(before);
});

it('is a layout that any reader of image layouts reads', async () => {
  site = await openSite(dir);
  const path = join(dir, 'site.tar');
  await site.create({ path, platforms: bothPlatforms });

  const layout = await openTarLayout(path);
  const names = (await layout.listReferences?.())?.map(({ repository, tag }) => `${repository}:${tag ?? ''}`);
  expect(names).toContain('kube-apiserver:v1.36.3');
  const name = parseReference('registry.k8s.io/kube-apiserver:v1.36.3');
  const index = site.images.get('registry.k8s.io/kube-apiserver:v1.36.3');
  const [, layer] = index?.images[1]?.blobs ?? [];
  expect((await layout.readManifest(name)).descriptor.digest).toBe(index?.manifest.descriptor.digest);
  expect(layer && (await readBlob(layout, name, layer.descriptor)).equals(layer.bytes)).toBe(true);
  await layout.close();
});

it('asks for one manifest each, one size each, and each blob once', async () => {
  site = await openSite(dir);
  const { manifest } = await site.create({ path: join(dir, 'site.tar') });

  const images = manifest.items.filter(({ kind }) => kind === 'image').length;
  const binaries = manifest.items.filter(({ kind }) => kind === 'binary').length;
  expect(site.registry.count('GET', '/manifests/')).toBe(2 * images);
  expect(site.registry.count('HEAD')).toBe(0);
  expect(site.registry.count('GET', '/blobs/')).toBe(manifest.blobs.length - 2 * images - binaries - 1);
  expect(site.files.asked.length).toBe(2 * binaries);
});

it('asks one request an image where the same bundle is there, and the registry for what that one has damaged', async () => {
  site = await openSite(dir);
  const path = join(dir, 'site.tar');
  const { manifest } = await site.create({ path });
  const images = manifest.items.filter(({ kind }) => kind === 'image');

  site.registry.asked.length = 0;
  await site.create({ path });
  expect(site.registry.count('GET', '/manifests/')).toBe(images.length);
  expect(site.registry.count('GET', '/blobs/')).toBe(0);

  const bundle = await openBundle(path);
  const top = await bundle.store.readManifest(parseReference(images[0]?.name ?? ''));
  const { manifests } = JSON.parse(top.bytes.toString()) as { manifests: { digest: `sha256:${string}` }[] };
  const child = manifests.find(({ digest }) => bundle.plan.blobs.has(digest))?.digest ?? 'sha256:';
  const at = bundle.plan.blobs.get(child)?.offset ?? 0;
  await bundle.close();
  const file = await open(path, 'r+');
  await file.write(Buffer.from('?'), 0, 1, at);
  await file.close();
  site.registry.asked.length = 0;
  await site.create({ path });
  expect(site.registry.count('GET', `/manifests/${child}`)).toBe(1);
  expect(site.registry.count('GET', '/manifests/')).toBe(images.length + 1);
});

it('wants to be told to take what nobody has pinned, and marks it', async () => {
  site = await openSite(dir, { unpinned: 'crictl' });
  const path = join(dir, 'site.tar');

  const refused = await site.create({ path, allowUnpinned: false }).catch((error: unknown) => error);
  expect(refused).toMatchObject({ code: 'BUNDLE_UNPINNED', exitCode: 2 });
  for (const name of ['kube-proxy:v1.36.3', 'flannel:', 'agnhost:', 'pause:']) expect(String(refused)).toContain(name);
  expect(String(refused)).toContain('crictl');
  await expect(site.create({ path, allowUnpinned: true })).rejects.toMatchObject({
    errors: [{ code: 'BUNDLE_NO_CHECKSUM' }],
  });
  for (const [name, bytes] of [...site.files.contents]) {
    const sum = createHash('sha256').update(bytes).digest('hex');
    if (name.includes('crictl')) site.files.contents.set(`${name}.sha256`, Buffer.from(`${sum}\n`));
  }
  const { manifest } = await site.create({ path, allowUnpinned: true });

  expect(manifest.items.filter(({ pin }) => pin === 'published').map(({ name }) => name)).toEqual(['crictl']);
  const marked = renderTree(manifest, 0, '')
    .split('\n')
    .filter((line) => line.includes('NOT PINNED'));
  expect(marked.length).toBe(manifest.items.filter(({ kind, name }) => kind === 'image' || name === 'crictl').length);
});

it('gets the very images that the cluster file pins, whatever their tags name now', async () => {
  site = await openSite(dir);
  const first = await site.create({ path: join(dir, 'first.tar') });
  const digests = Object.fromEntries(
    digestLines(first.manifest).map((line) => line.split(': ') as [string, `sha256:${string}`]),
  );
  const config = withDigests(site.config, {
    ...digests,
    'registry.example.com/nobody/asks:1': `sha256:${'0'.repeat(64)}`,
  });
  const notes: string[] = [];
  const [moved = '', other = ''] = Object.keys(digests).map((name) => {
    const { repository, tag = '' } = parseReference(name);
    return `${repository}:${tag}`;
  });
  const another = site.registry.manifests.get(other);
  if (another === undefined) throw new Error('the site has less than two images');
  site.registry.manifests.set(moved, another);

  const { manifest } = await site.create({
    path: join(dir, 'second.tar'),
    config,
    allowUnpinned: false,
    onNote: (note) => notes.push(note),
  });

  const images = manifest.items.filter(({ kind }) => kind === 'image');
  expect(Object.fromEntries(images.map(({ name, digest }) => [name, digest]))).toEqual(digests);
  expect(new Set(images.map(({ pin }) => pin))).toEqual(new Set(['reference']));
  expect(renderTree(manifest, 0, '')).not.toContain('NOT PINNED');
  expect(notes.join()).toContain('registry.example.com/nobody/asks:1');
});

function withDigests(config: ClusterConfig, digests: Readonly<Record<string, `sha256:${string}`>>): ClusterConfig {
  return { ...config, spec: { ...config.spec, bundle: { ...config.spec.bundle, digests } } };
}
