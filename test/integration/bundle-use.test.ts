import { execFile } from 'node:child_process';
import { createHash, randomInt } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openBundle, type Bundle } from '../../src/bundle/bundle.ts';
import { extractBundle } from '../../src/bundle/extract.ts';
import { checkRegistry, pushBundle } from '../../src/bundle/push.ts';
import { parseTarget } from '../../src/bundle/registry-mapping.ts';
import { mergeBundles, recutBundle } from '../../src/bundle/rewrite.ts';
import { filesHandler } from '../../src/bundle/serve-files.ts';
import { verifyBundle } from '../../src/bundle/verify.ts';
import { copy } from '../../src/oci/copy.ts';
import { createLayout, openLayout } from '../../src/oci/layout.ts';
import { parseReference } from '../../src/oci/reference.ts';
import { createRegistryStore } from '../../src/oci/registry.ts';
import { serveRegistry, type ServedRegistry } from '../../src/oci/serve.ts';
import { bothPlatforms, openSite, versions, type Site } from '../support/bundle/site.ts';
import { startCuttingProxy, type CuttingProxy } from '../support/oci/cutting-proxy.ts';
import { TestRegistry } from '../support/oci/registry.ts';
import { findCrane, findSkopeo, isMissing, pathOf } from '../support/oci/tools.ts';

let dir: string;
let site: Site;
let bundle: Bundle | undefined;
let served: ServedRegistry | undefined;
let target: TestRegistry | undefined;
let proxy: CuttingProxy | undefined;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bundle-use-'));
  site = await openSite(dir);
});

afterEach(async () => {
  await served?.close();
  await bundle?.close();
  await target?.close();
  await proxy?.close();
  served = bundle = target = proxy = undefined;
  await site.close();
  await rm(dir, { recursive: true, force: true });
});

async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

async function isWhole(path: string): Promise<boolean> {
  const opened = await openBundle(path, { mayBeCut: true });
  const result = await verifyBundle(opened);
  await opened.close();
  return result.isWhole;
}

it('serves images and files, so that another bundle can be made from it alone', async () => {
  const path = join(dir, 'site.tar');
  const first = await site.create({ path, platforms: bothPlatforms });
  bundle = await openBundle(path);
  served = await serveRegistry(bundle.store, { others: filesHandler(bundle) });
  await site.close();
  const { url } = served;
  const { spec } = site.config;
  const registries = Object.fromEntries(
    Object.entries(spec.runtime.registries).map(([name, item]) => [name, { ...item, mirrors: [url] }]),
  );
  const mirrors = Object.fromEntries(['dl.k8s.io', 'github.com'].map((host) => [host, `${url}/files/${host}`]));
  const config = {
    ...site.config,
    spec: { ...spec, runtime: { ...spec.runtime, registries }, artifacts: { ...spec.artifacts, mirrors } },
  };

  const again = await site.create({ path: join(dir, 'again.tar'), config, platforms: bothPlatforms });

  expect(again.manifestDigest).toBe(first.manifestDigest);
  expect(await sha256Of(join(dir, 'again.tar'))).toBe(await sha256Of(path));
});

it('serves a part of a file, its checksum, and nothing that is not in it', async () => {
  const path = join(dir, 'site.tar');
  const { manifest } = await site.create({ path });
  bundle = await openBundle(path);
  served = await serveRegistry(bundle.store, { others: filesHandler(bundle) });
  const kubelet = manifest.items.find(({ name }) => name === 'kubelet');
  const { host, pathname } = new URL(kubelet?.origin ?? '');
  const url = `${served.url}/files/${host}${pathname}`;

  const part = await fetch(url, { headers: { range: 'bytes=100-199' } });
  const whole = site.files.contents.get(`/${host}${pathname}`);
  expect(part.status).toBe(206);
  expect(Buffer.from(await part.arrayBuffer()).equals(whole?.subarray(100, 200) ?? Buffer.alloc(0))).toBe(true);
  expect(await (await fetch(`${url}.sha256`)).text()).toContain(kubelet?.digest.slice(7));
  expect((await fetch(`${served.url}/files/${host}/../../../etc/passwd`)).status).toBe(404);
  expect((await fetch(`${served.url}/bundle.json`)).status).toBe(200);
});

it('pushes everything, finds everything there afterwards, and sends nothing the second time', async () => {
  const path = join(dir, 'site.tar');
  await site.create({ path, platforms: bothPlatforms });
  bundle = await openBundle(path);
  target = await new TestRegistry().start();
  const store = createRegistryStore();
  const place = parseTarget(`${target.host}/offline/site`, true);

  const first = await pushBundle(bundle, store, place);
  const checked = await checkRegistry(bundle, store, place);
  const again = await pushBundle(bundle, store, place);

  expect(first.items.map(({ outcome }) => outcome.status)).toEqual(first.items.map(() => 'copied'));
  expect(checked.filter(({ missing, otherDigest }) => missing.length > 0 || otherDigest !== undefined)).toEqual([]);
  expect(checked.filter(({ isNarrowed }) => isNarrowed)).toEqual([]);
  expect(again.items.map(({ outcome }) => outcome.status)).toEqual(again.items.map(() => 'present'));
  expect(again.sentBytes).toBe(0);
  const [name] = [...target.manifests.keys()].filter((key) => key.includes('kube-apiserver:'));
  expect(name).toBe('offline/site/registry.k8s.io/kube-apiserver:v1.36.3');
  const kubelet = bundle.manifest.items.find((item) => item.name === 'kubelet');
  target.blobs.delete(kubelet?.digest ?? '');
  const lacking = (await checkRegistry(bundle, store, place)).filter(({ missing }) => missing.length > 0);
  expect(lacking.map(({ item, missing }) => [item.name, missing])).toEqual([['kubelet', [kubelet?.digest]]]);
  await store.close();
});

it('gives tags to the images of the one platform where a registry wants whole indexes', async () => {
  const path = join(dir, 'site.tar');
  await site.create({ path });
  bundle = await openBundle(path);
  target = await new TestRegistry().start();
  const store = createRegistryStore();
  const place = parseTarget(target.host, false);

  const { items } = await pushBundle(bundle, store, place);

  const images = items.filter(({ item }) => item.kind === 'image');
  expect(new Set(images.map(({ outcome }) => outcome.status))).toEqual(new Set(['narrowed']));
  const checked = await checkRegistry(bundle, store, place);
  expect(checked.filter(({ otherDigest }) => otherDigest !== undefined)).toEqual([]);
  expect(checked.map(({ isNarrowed }) => isNarrowed)).toEqual(checked.map(({ item }) => item.kind === 'image'));
  await store.close();
});

it('pushes on where the connection was cut, 20 times', async () => {
  await site.close();
  site = await openSite(dir, { layerBytes: 4_000_000, fileBytes: 500_000 });
  const path = join(dir, 'site.tar');
  await site.create({ path });
  bundle = await openBundle(path);
  target = await new TestRegistry({ takesSparse: true }).start();
  const total = bundle.manifest.blobs.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const offsets = Array.from({ length: 20 }, () => randomInt(10_000, total - 100_000));
  proxy = await startCuttingProxy(target.port, 'up', offsets);
  const store = createRegistryStore({ patience: { baseDelayMs: 1, maxDelayMs: 20, attempts: 40 } });

  const { items, sentBytes } = await pushBundle(bundle, store, parseTarget(proxy.host, false), {
    attempts: 40,
    baseDelayMs: 1,
  });

  process.stdout.write(`push: ${proxy.cuts} cuts; ${target.takenBytes} bytes taken for ${total}, ${sentBytes} sent\n`);
  expect(items.filter(({ outcome }) => outcome.error !== undefined)).toEqual([]);
  expect(proxy.cuts).toBe(20);
  // The registry says how far it is, and takes no byte twice.
  expect(target.takenBytes).toBeLessThanOrEqual(total);
  await store.close();
});

it('is cut into parts, used as parts, and made one again: the same bytes', async () => {
  const whole = await site.create({ path: join(dir, 'whole.tar') });
  const parts = await site.create({ path: join(dir, 'parts.tar'), partBytes: 200_000 });

  expect(parts.paths.length).toBe(Math.ceil(whole.sizeBytes / 200_000));
  const sizes = await Promise.all(parts.paths.map(async (path) => (await stat(path)).size));
  expect(sizes.slice(0, -1).every((size) => size === 200_000)).toBe(true);
  expect(await isWhole(join(dir, 'parts.tar.001'))).toBe(true);
  await recutBundle(join(dir, 'parts.tar'), { path: join(dir, 'joined.tar') });
  expect(await sha256Of(join(dir, 'joined.tar'))).toBe(await sha256Of(join(dir, 'whole.tar')));

  const recut = await recutBundle(join(dir, 'joined.tar'), { path: join(dir, 'recut.tar'), partBytes: 200_000 });
  for (const [index, path] of recut.paths.entries()) {
    expect(await sha256Of(path)).toBe(await sha256Of(parts.paths[index] ?? ''));
  }
  await rm(parts.paths[2] ?? '');
  await expect(openBundle(join(dir, 'parts.tar'))).rejects.toMatchObject({ code: 'BUNDLE_PART_MISSING' });
  await rm(recut.paths.at(-1) ?? '');
  await expect(openBundle(join(dir, 'recut.tar'))).rejects.toMatchObject({ code: 'BUNDLE_PART_MISSING' });
});

it('is the bundle it stands for when a delta and its base are merged', async () => {
  const [old, delta, full] = ['old.tar', 'delta.tar', 'full.tar'].map((name) => join(dir, name)) as [
    string,
    string,
    string,
  ];
  await site.create({ path: old });
  await site.create({ path: full, upgradeTo: versions[1] });
  const before = site.sentBytes();
  const made = await site.create({ path: delta, upgradeTo: versions[1], deltaFrom: old });
  const opened = await openBundle(full);
  await opened.close();

  expect(made.sizeBytes).toBeLessThan(opened.plan.totalBytes);
  expect(site.sentBytes() - before).toBeLessThan(opened.plan.totalBytes);
  expect(await isWhole(delta)).toBe(true);
  await mergeBundles([delta, old], { path: join(dir, 'merged.tar') });
  expect(await sha256Of(join(dir, 'merged.tar'))).toBe(await sha256Of(full));
  await expect(mergeBundles([delta, full], { path: join(dir, 'wrong.tar') })).rejects.toMatchObject({
    code: 'BUNDLE_BASE_WRONG',
  });
});

it('loses nothing when bundles of two architectures are merged', async () => {
  const [amd, arm, both] = ['amd.tar', 'arm.tar', 'both.tar'].map((name) => join(dir, name)) as [
    string,
    string,
    string,
  ];
  await site.create({ path: amd, platforms: ['linux/amd64'] });
  await site.create({ path: arm, platforms: ['linux/arm64'] });
  const expected = await site.create({ path: both, platforms: bothPlatforms });

  const { manifest } = await mergeBundles([amd, arm], { path: join(dir, 'merged.tar') });

  expect(manifest).toEqual(expected.manifest);
  expect(await sha256Of(join(dir, 'merged.tar'))).toBe(await sha256Of(both));
});

it('lays its contents out as files and as an image layout', async () => {
  const path = join(dir, 'site.tar');
  await site.create({ path });
  bundle = await openBundle(path);
  const out = join(dir, 'out');
  await extractBundle(bundle, out);

  for (const { kind, origin, name } of bundle.manifest.items) {
    if (kind !== 'binary') continue;
    const { host, pathname } = new URL(origin);
    const bytes = await readFile(join(out, 'files', host, pathname));
    expect(bytes.equals(site.files.contents.get(`/${host}${pathname}`) ?? Buffer.alloc(0)), name).toBe(true);
  }
  const layout = await openLayout(join(out, 'images'));
  const name = parseReference('registry.k8s.io/kube-proxy:v1.36.3');
  const again = await createLayout(join(dir, 'again'));
  const { images } = await copy(layout, again, [{ from: name, to: name }], {
    platforms: [{ os: 'linux', architecture: 'amd64' }],
  });
  expect(images.map(({ status }) => status)).toEqual(['sparse']);
  await layout.close();
  await again.close();
  await expect(extractBundle(bundle, out, { names: ['nothing'] })).rejects.toMatchObject({
    code: 'BUNDLE_ITEM_UNKNOWN',
  });
  expect((await readdir(out)).sort()).toEqual(['files', 'images']);
});

const crane = await findCrane();
it.skipIf(isMissing('crane takes what is extracted', crane))('is pushed by crane after it was extracted', async () => {
  const path = join(dir, 'site.tar');
  await site.create({ path, platforms: bothPlatforms });
  bundle = await openBundle(path);
  await extractBundle(bundle, join(dir, 'out'));
  target = await new TestRegistry().start();
  const layout = join(dir, 'out/images');

  await promisify(execFile)(pathOf(crane), ['push', '--insecure', '--index', layout, `${target.host}/all:v1`]);

  const images = bundle.manifest.items.filter(({ kind }) => kind === 'image');
  const there = [...target.manifests.keys()];
  expect(images.filter(({ digest }) => !there.includes(`all@${digest}`) && !there.includes(`all:${digest}`))).toEqual(
    [],
  );
});

const skopeo = await findSkopeo();
it.skipIf(isMissing('skopeo reads a bundle', skopeo))('is read by skopeo as an archive of images', async () => {
  const path = join(dir, 'site.tar');
  await site.create({ path, platforms: bothPlatforms });
  const name = 'registry.k8s.io/kube-proxy:v1.36.3';
  const run = promisify(execFile);

  const raw = await run(pathOf(skopeo), ['inspect', '--raw', `oci-archive:${path}:${name}`]);
  await run(pathOf(skopeo), ['copy', '--all', `oci-archive:${path}:${name}`, `dir:${join(dir, 'out')}`]);

  const index = site.images.get(name);
  expect(Buffer.from(raw.stdout).equals(Buffer.from(index?.manifest.bytes ?? []))).toBe(true);
  const [, layer] = index?.images[1]?.blobs ?? [];
  const bytes = await readFile(join(dir, 'out', layer?.descriptor.digest.slice(7) ?? ''));
  expect(bytes.equals(layer?.bytes ?? Buffer.alloc(0))).toBe(true);
});
