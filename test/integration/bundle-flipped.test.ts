import { createHash } from 'node:crypto';
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openBundle, type Bundle } from '../../src/bundle/bundle.ts';
import type { BundleItem } from '../../src/bundle/manifest.ts';
import { describeServedDamage, filePathOf, filesHandler } from '../../src/bundle/serve-files.ts';
import { verifyBundle } from '../../src/bundle/verify.ts';
import { digestOf, type Digest } from '../../src/oci/digest.ts';
import { serveRegistry, type ServedRegistry } from '../../src/oci/serve.ts';
import { packChart } from '../support/bundle/charts.ts';
import { openSite, type Site } from '../support/bundle/site.ts';

const large = 2_500_000;
const provenBytes = 2_000_000;
let dir: string;
let path: string;
let site: Site;
let bundle: Bundle;
let served: ServedRegistry;
/** What the server said of blobs that it could not give. */
const told: string[] = [];

/** A bundle with an item of each kind but packages, whose tests are their own; binaries and a layer of each image are large. */
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bundle-flipped-'));
  path = join(dir, 'site.tar');
  site = await openSite(dir, { layerBytes: large, fileBytes: large });
  const chart = packChart('web', { 'Chart.yaml': 'apiVersion: v2\nname: web\nversion: 1.2.3\n' });
  const tool = Buffer.from('a tool');
  site.files.contents.set('/files.example.com/web-1.2.3.tgz', chart);
  site.files.contents.set('/files.example.com/tool.bin', tool);
  const sum = digestOf(chart).slice('sha256:'.length);
  const index = {
    apiVersion: 'v1',
    entries: { web: [{ name: 'web', version: '1.2.3', digest: sum, urls: ['web-1.2.3.tgz'] }] },
  };
  site.files.contents.set('/files.example.com/index.yaml', Buffer.from(JSON.stringify(index)));
  const { spec } = site.config;
  const repository = 'https://files.example.com';
  const mirrors = {
    ...spec.artifacts.mirrors,
    'files.example.com': `http://127.0.0.1:${site.files.port}/files.example.com`,
  };
  const extras = {
    images: [],
    digests: {},
    charts: [{ name: 'web', version: '1.2.3', repository, images: [] }],
    files: [{ url: `${repository}/tool.bin`, sha256: createHash('sha256').update(tool).digest('hex') }],
  };
  const installer = join(dir, 'installer');
  const program = Buffer.alloc(11_000, 'the program');
  // As far as is looked at: ELF, for amd64.
  program.set([0x7f, 0x45, 0x4c, 0x46], 0);
  program.writeUInt16LE(62, 18);
  await writeFile(installer, program);
  await site.create({
    path,
    config: { ...site.config, spec: { ...spec, artifacts: { ...spec.artifacts, mirrors }, bundle: extras } },
    installers: [{ platform: 'linux/amd64', path: installer }],
    allowUnpinned: true,
  });
  bundle = await openBundle(path);
  served = await serveRegistry(bundle.store, {
    others: filesHandler(bundle, provenBytes),
    // As of blobs that are too large to be read before.
    provenBytes,
    onDamaged: (error) => told.push(describeServedDamage(path, error)),
  });
});

afterAll(async () => {
  await served.close();
  await bundle.close();
  await site.close();
  await rm(dir, { recursive: true, force: true });
});

function itemOf(kind: BundleItem['kind']): BundleItem {
  // The largest, for both ways of sending are to be seen.
  const [item] = bundle.manifest.items.filter((one) => one.kind === kind).toSorted((a, b) => b.sizeBytes - a.sizeBytes);
  if (item === undefined) throw new Error(`the bundle holds no ${kind}`);
  return item;
}

/** Turns one bit within a blob, and back when the work is over. */
async function withFlipped<T>(digest: Digest, work: () => Promise<T>): Promise<T> {
  const entry = bundle.plan.blobs.get(digest);
  if (entry === undefined) throw new Error(`${digest} is not planned`);
  const at = entry.offset + Math.floor(entry.sizeBytes / 2);
  const file = await open(path, 'r+');
  const turn = async (): Promise<void> => {
    const byte = Buffer.alloc(1);
    await file.read(byte, 0, 1, at);
    byte[0] = (byte[0] ?? 0) ^ 4;
    await file.write(byte, 0, 1, at);
  };
  await turn();
  try {
    return await work();
  } finally {
    await turn();
    await file.close();
  }
}

/** What a client gets: the status, the digest of the body, or that the answer broke off. */
async function get(address: string, headers: Record<string, string> = {}): Promise<{ status: number; body: string }> {
  const response = await fetch(`${served.url}${address}`, { headers });
  const body = await response.arrayBuffer().then(
    (bytes) => (response.ok ? digestOf(Buffer.from(bytes)) : Buffer.from(bytes).toString()),
    () => 'broken off',
  );
  return { status: response.status, body };
}

const kinds = ['image', 'binary', 'installer', 'chart', 'file', 'sbom'] as const;

describe('a flipped byte', () => {
  it.each(kinds)('of an item of the kind %s is found by verify', async (kind) => {
    const item = itemOf(kind);
    for (const digest of item.blobs) {
      const { blobs, isWhole } = await withFlipped(digest, () => verifyBundle(bundle));
      expect(isWhole).toBe(false);
      expect(blobs.filter(({ status }) => status !== 'ok')).toMatchObject([{ digest, status: 'wrong-digest' }]);
    }
    expect((await verifyBundle(bundle)).isWhole).toBe(true);
  });

  it.each(kinds.filter((kind) => kind !== 'image'))('of a %s is never the end of a good answer', async (kind) => {
    const item = itemOf(kind);
    const address = filePathOf(item);
    expect(await get(address)).toEqual({ status: 200, body: item.digest });

    const { status, body } = await withFlipped(item.digest, () => get(address));

    if (item.sizeBytes > 1024 * 1024) expect({ status, body }).toEqual({ status: 200, body: 'broken off' });
    else expect({ status, body }).toEqual({ status: 500, body: expect.stringContaining(item.digest) as string });
    expect(await get(address)).toEqual({ status: 200, body: item.digest });
    expect(told.filter((text) => text.includes(item.digest))).toEqual([expect.stringContaining(`${path} is damaged`)]);
  });

  it('of an image is never the end of a good answer: manifests, configurations and layers', async () => {
    const { name, blobs, digest: top } = itemOf('image');
    const [, host = '', repository = ''] = /^([^/]+)\/([^:@]+)/.exec(name) ?? [];
    const seen = new Set<string>();
    for (const digest of blobs) {
      const entry = bundle.plan.blobs.get(digest);
      const kind = digest === top ? 'manifests' : 'blobs';
      const address = `/v2/${repository}/${kind}/${digest}?ns=${host}`;
      expect(await get(address)).toEqual({ status: 200, body: digest });

      const { status, body } = await withFlipped(digest, () => get(address));

      expect([status === 500, body === 'broken off']).toContain(true);
      expect(told.filter((text) => text.includes(digest))).toHaveLength(1);
      seen.add((entry?.sizeBytes ?? 0) > 1024 * 1024 ? `large ${status} ${body}` : `small ${status}`);
    }
    expect([...seen].sort()).toEqual(['large 200 broken off', 'small 500']);
  });

  it('of a blob that is read before it is sent is the reason that its client gets, the first time', async () => {
    const item = itemOf('binary');
    const usual = await serveRegistry(bundle.store, { others: filesHandler(bundle) });
    const from = `${usual.url}${filePathOf(item)}`;

    const refused = await withFlipped(item.digest, async () => {
      const answer = await fetch(from);
      return { status: answer.status, text: await answer.text() };
    });
    const right = await fetch(from);
    const sent = digestOf(Buffer.from(await right.arrayBuffer()));
    const later = await withFlipped(item.digest, async () =>
      (await fetch(from)).arrayBuffer().then(
        () => 'whole',
        () => 'broken off',
      ),
    );
    await usual.close();

    expect(item.sizeBytes).toBeGreaterThan(provenBytes);
    expect(refused).toEqual({ status: 500, text: expect.stringContaining(item.digest) as string });
    expect(sent).toBe(item.digest);
    expect(later).toBe('broken off');
  });

  it('is found before a part of a file is sent', async () => {
    const item = bundle.manifest.items.filter(({ kind }) => kind === 'binary').at(-1);
    if (item === undefined) throw new Error('no binary');
    const address = filePathOf(item);
    const range = { range: `bytes=${item.sizeBytes - 100}-` };

    const wrong = await withFlipped(item.digest, () => get(address, range));
    const right = await get(address, range);

    expect(wrong).toEqual({ status: 500, body: expect.stringContaining(item.digest) as string });
    expect(right.status).toBe(206);
  });
});
