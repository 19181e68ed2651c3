import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CopyProgress } from '../../src/oci/copy-types.ts';
import { copy } from '../../src/oci/copy.ts';
import { createLayout, openLayout } from '../../src/oci/layout.ts';
import { parsePlatform } from '../../src/oci/platform.ts';
import { parseReference, withDigest, type Reference } from '../../src/oci/reference.ts';
import { createRegistryStore } from '../../src/oci/registry.ts';
import type { RegistryOptions } from '../../src/oci/registry-config.ts';
import type { WritableOciStore } from '../../src/oci/store.ts';
import { makeImage, makeIndex, putImage, putIndex, randomBlob } from '../support/oci/images.ts';
import { TestRegistry } from '../support/oci/registry.ts';

let registry: TestRegistry;
let dir: string;
const stores: WritableOciStore[] = [];

function remote(options: RegistryOptions = {}): WritableOciStore {
  const store = createRegistryStore({ patience: { baseDelayMs: 1, maxDelayMs: 5 }, ...options });
  stores.push(store);
  return store;
}

function at(text: string, host = registry.host): Reference {
  return parseReference(`${host}/${text}`);
}

beforeEach(async () => {
  registry = await new TestRegistry().start();
  dir = await mkdtemp(join(tmpdir(), 'oci-copy-'));
});

afterEach(async () => {
  for (const store of stores.splice(0)) await store.close();
  await registry.close();
  await rm(dir, { recursive: true, force: true });
});

const amd64 = parsePlatform('linux/amd64');
const arm64 = parsePlatform('linux/arm64');

describe('copy', () => {
  it('brings images into a layout and out of it again, byte for byte', async () => {
    const shared = randomBlob(300_000);
    const images = [1, 2, 3].map(() => makeImage([shared, randomBlob(100_000), randomBlob(0)]));
    const source = remote();
    for (const [index, image] of images.entries()) await putImage(source, at(`a/i${index}:v1`), image);
    const layout = await createLayout(join(dir, 'layout'));
    const items = images.map((_, index) => ({
      from: at(`a/i${index}:v1`),
      to: parseReference(`example.com/a/i${index}:v1`),
    }));

    const first = await copy(remote(), layout, items);
    const again = await openLayout(join(dir, 'layout'));

    expect(first.images.map(({ status }) => status)).toEqual(['copied', 'copied', 'copied']);
    expect(first.blobs).toEqual({ written: 8, mounted: 0, present: 0 });
    expect(first.sentBytes).toBe(600_000 + images.reduce((sum, { blobs }) => sum + (blobs[0]?.bytes.length ?? 0), 0));
    for (const [index, image] of images.entries()) {
      const { bytes } = await again.readManifest(parseReference(`example.com/a/i${index}:v1`));
      expect(Buffer.from(bytes).equals(image.manifest.bytes)).toBe(true);
    }
    const other = await new TestRegistry().start();
    let last: CopyProgress | undefined;
    const pushed = await copy(
      again,
      remote(),
      items.map(({ to }, index) => ({ from: to, to: at(`b/i${index}:v1`, other.host) })),
      { onProgress: (progress) => (last = progress) },
    );
    expect(pushed.images.map(({ status }) => status)).toEqual(['copied', 'copied', 'copied']);
    // The shared layer (and the empty one, which all share) goes once and is mounted twice.
    expect(pushed.blobs).toEqual({ written: 8, mounted: 4, present: 0 });
    expect(pushed.blobBytes).toEqual({ written: first.sentBytes, mounted: 600_000, present: 0 });
    expect(pushed.sentBytes).toBe(first.sentBytes);
    const done = first.sentBytes + 600_000;
    expect(last).toMatchObject({ doneImages: 3, doneBytes: done, totalBytes: done, savedBytes: 600_000 });
    expect([...(other.manifests.get('b/i1:v1')?.bytes ?? [])]).toEqual([...(images[1]?.manifest.bytes ?? [])]);
    await other.close();
  });

  it('asks one request an image where everything is there', async () => {
    const source = remote();
    const names = Array.from({ length: 10 }, (_, index) => `a/i${index}`);
    const layout = await createLayout(join(dir, 'layout'));
    for (const name of names)
      await putImage(layout, parseReference(`example.com/${name}:v1`), makeImage([randomBlob(1000)]));
    const items = names.map((name) => ({ from: parseReference(`example.com/${name}:v1`), to: at(`${name}:v1`) }));
    await copy(layout, source, items);
    registry.asked.length = 0;

    const push = await copy(layout, remote(), items);
    const pushRequests = registry.asked.map(({ method, path }) => `${method} ${path}`).sort();
    registry.asked.length = 0;
    const pull = await copy(
      remote(),
      layout,
      items.map(({ from, to }) => ({ from: to, to: from })),
    );
    const pullRequests = registry.asked.length;

    expect(
      [push, pull].flatMap(({ images }) => images.map(({ status }) => status)).every((status) => status === 'present'),
    ).toBe(true);
    expect(pushRequests).toEqual(['GET /v2/', ...names.map((name) => `HEAD /v2/${name}/manifests/v1`).sort()]);
    expect(pullRequests).toBe(names.length + 1);
  });

  it('mounts within a registry, and sends nothing', async () => {
    const shared = randomBlob(50_000);
    const store = remote();
    await putImage(store, at('a/one:v1'), makeImage([shared, randomBlob(1000)]));
    await putImage(store, at('a/two:v1'), makeImage([shared, randomBlob(2000)]));
    registry.takenBytes = 0;

    const items = ['one', 'two'].map((name) => ({ from: at(`a/${name}:v1`), to: at(`mirror/${name}:v1`) }));
    const result = await copy(store, store, items);

    expect(result.blobs).toEqual({ written: 0, mounted: 6, present: 0 });
    expect(result).toMatchObject({ sentBytes: 0, blobBytes: { written: 0, present: 0 } });
    expect(registry.takenBytes).toBe(0);
    expect(registry.count('GET', '/blobs/')).toBe(0);
  });

  it('keeps an index as it is when only one platform goes into a layout, and adds the other later', async () => {
    const index = makeIndex([
      { platform: amd64, image: makeImage([randomBlob(1000)]) },
      { platform: arm64, image: makeImage([randomBlob(1000)], { platform: arm64 }) },
    ]);
    await putIndex(remote(), at('a/multi:v1'), index);
    const layout = await createLayout(join(dir, 'layout'));
    const items = [{ from: at('a/multi:v1'), to: parseReference('example.com/a/multi:v1') }];

    const one = await copy(remote(), layout, items, { platforms: [amd64] });
    const same = await copy(remote(), layout, items, { platforms: [amd64] });
    const both = await copy(remote(), layout, items, { platforms: [amd64, arm64] });

    expect([one, same, both].map(({ images }) => images[0]?.status)).toEqual(['sparse', 'present', 'copied']);
    const kept = await layout.readManifest(parseReference('example.com/a/multi:v1'));
    expect(kept.descriptor.digest).toBe(index.manifest.descriptor.digest);
    expect((await readdir(join(dir, 'layout', 'blobs', 'sha256'))).length).toBe(7);
  });

  it('does not narrow an index in a registry that wants it whole, unless told that the tag may name the one image', async () => {
    const index = makeIndex([
      { platform: amd64, image: makeImage([randomBlob(1000)]) },
      { platform: arm64, image: makeImage([randomBlob(1000)], { platform: arm64 }) },
    ]);
    const layout = await createLayout(join(dir, 'layout'));
    await putIndex(layout, parseReference('example.com/multi:v1'), index);
    const items = [{ from: parseReference('example.com/multi:v1'), to: at('multi:v1') }];

    const refused = await copy(layout, remote(), items, { platforms: [amd64] });
    const narrowed = await copy(layout, remote(), items, { platforms: [amd64], whenIndexRefused: 'narrow' });
    const whole = await copy(layout, remote(), items);
    const after = await copy(layout, remote(), items, { platforms: [amd64], whenIndexRefused: 'narrow' });

    expect(refused.images[0]).toMatchObject({ status: 'failed', error: { code: 'OCI_SPARSE_INDEX_REFUSED' } });
    expect(narrowed.images[0]).toMatchObject({
      status: 'narrowed',
      digest: index.images[0]?.manifest.descriptor.digest,
    });
    expect(whole.images[0]).toMatchObject({ status: 'copied', digest: index.manifest.descriptor.digest });
    // The tag names the whole index now, and goes on doing so.
    expect(after.images[0]).toMatchObject({ status: 'present', digest: index.manifest.descriptor.digest });
  });

  it('says which platforms there are where the one that is wanted is not among them', async () => {
    await putIndex(
      remote(),
      at('multi:v1'),
      makeIndex([{ platform: arm64, image: makeImage([], { platform: arm64 }) }]),
    );
    const layout = await createLayout(join(dir, 'layout'));

    const result = await copy(remote(), layout, [{ from: at('multi:v1'), to: at('multi:v1') }], { platforms: [amd64] });

    expect(result.images[0]?.error).toMatchObject({
      code: 'OCI_NO_PLATFORM',
      message: expect.stringContaining('linux/arm64') as string,
    });
  });

  it.each([true, false])('copies what refers to an image (registry lists it itself: %s)', async (referrers) => {
    const target = await new TestRegistry({ referrers }).start();
    const image = makeImage([randomBlob(1000)]);
    await putImage(remote(), at('a:v1'), image);
    const { digest } = image.manifest.descriptor;
    const signature = makeImage([randomBlob(10)], { subject: image.manifest.descriptor });
    await putImage(remote(), withDigest(at('a:v1'), signature.manifest.descriptor.digest), signature);
    const layout = await createLayout(join(dir, 'layout'));
    const to = at('b:v1', target.host);

    await copy(remote(), layout, [{ from: at('a:v1'), to: at('a:v1') }], { referrers: true });
    const result = await copy(layout, remote(), [{ from: at('a:v1'), to }], { referrers: true });

    expect(result.images[0]?.status).toBe('copied');
    expect(await remote().listReferrers(to, digest)).toMatchObject([{ digest: signature.manifest.descriptor.digest }]);
    expect(await remote().listReferrers(to, digest, { artifactType: 'application/x.other' })).toEqual([]);
    await target.close();
  });

  it('ends every image, those that fail with their reason', async () => {
    await putImage(remote(), at('good:v1'), makeImage([randomBlob(10)]));
    const layout = await createLayout(join(dir, 'layout'));
    const items = ['good:v1', 'missing:v1'].map((name) => ({ from: at(name), to: at(name) }));

    const result = await copy(remote(), layout, items);

    expect(result.images.map(({ status, error }) => error?.code ?? status)).toEqual(['copied', 'OCI_NOT_FOUND']);
  });
});
