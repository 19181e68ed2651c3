import { randomInt } from 'node:crypto';
import { mkdtemp, open, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openBundle, type Bundle } from '../../src/bundle/bundle.ts';
import { checkSignature, readPrivateKey, readPublicKey, writeKeyPair } from '../../src/bundle/signature.ts';
import { verifyBundle } from '../../src/bundle/verify.ts';
import type { WriteResult } from '../../src/bundle/write-bundle.ts';
import { InstallerError } from '../../src/errors.ts';
import { openSite, type Site } from '../support/bundle/site.ts';

let dir: string;
let site: Site;
let path: string;
let made: WriteResult;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bundle-faults-'));
  site = await openSite(dir, { layerBytes: 8000, fileBytes: 3000 });
  path = join(dir, 'site.tar');
  made = await site.create({ path });
});

afterEach(async () => {
  await site.close();
  await rm(dir, { recursive: true, force: true });
});

/** The bundle as its table of contents says; closed again. */
async function opened(): Promise<Bundle> {
  const bundle = await openBundle(path);
  await bundle.close();
  return bundle;
}

async function flip(at: number): Promise<void> {
  const file = await open(path, 'r+');
  const byte = Buffer.alloc(1);
  await file.read(byte, 0, 1, at);
  byte[0] = (byte[0] ?? 0) ^ 0x10;
  await file.write(byte, 0, 1, at);
  await file.close();
}

/** What is said of the bundle: the code of the error that it cannot be opened for, or the statuses of bad blobs and the problems. */
async function judge(): Promise<{ code?: string; statuses: string[]; problems: readonly string[] }> {
  try {
    const bundle = await openBundle(path, { mayBeCut: true });
    const { blobs, problems } = await verifyBundle(bundle);
    await bundle.close();
    return { statuses: blobs.map(({ status }) => status).filter((status) => status !== 'ok'), problems };
  } catch (error) {
    if (!(error instanceof InstallerError)) throw error;
    expect(error.remedy).toBeDefined();
    return { code: error.code, statuses: [], problems: [] };
  }
}

describe('a flipped byte is found', () => {
  it('in each kind of item, its header and its padding', async () => {
    const { plan, manifest } = await opened();
    for (const kind of ['image', 'binary', 'sbom']) {
      const item = manifest.items.find((one) => one.kind === kind);
      for (const digest of item?.blobs ?? []) {
        const entry = plan.blobs.get(digest);
        if (entry === undefined) throw new Error(`${digest} is not planned`);
        const at = entry.offset + randomInt(0, entry.sizeBytes);
        await flip(at);
        expect((await judge()).statuses, `${kind} ${digest}`).toEqual(['wrong-digest']);
        await flip(at);
      }
      const [digest] = item?.blobs ?? [];
      const entry = digest && plan.blobs.get(digest);
      if (!entry) throw new Error('no entry');
      await flip(entry.headerOffset + 140);
      expect((await judge()).statuses).toEqual(['unreadable']);
      await flip(entry.headerOffset + 140);
    }
    expect(await judge()).toEqual({ statuses: [], problems: [] });
  });

  it('wherever it is', async () => {
    const { plan } = await opened();
    const tries = [0, 1, 5, plan.totalBytes - 1, ...Array.from({ length: 60 }, () => randomInt(0, plan.totalBytes))];
    for (const { headerOffset, offset } of plan.head) tries.push(headerOffset + 3, headerOffset + 150, offset + 2);
    for (const at of tries) {
      await flip(at);
      const { code, statuses, problems } = await judge();
      expect(code !== undefined || statuses.length + problems.length > 0, `byte ${at}`).toBe(true);
      await flip(at);
    }
    expect(await judge()).toEqual({ statuses: [], problems: [] });
  });
});

it('says how much is missing of a file that was cut off, and which blobs', async () => {
  await truncate(path, made.sizeBytes - 20_000);
  await expect(openBundle(path)).rejects.toMatchObject({ code: 'BUNDLE_TRUNCATED', exitCode: 2 });
  const { statuses, problems } = await judge();
  expect(new Set(statuses)).toEqual(new Set(['missing']));
  expect(problems.join()).toContain('20000');
  for (const size of [3000, 600, 100, 0]) {
    await truncate(path, size);
    expect((await judge()).code).toBe(size < 512 ? 'BUNDLE_INVALID' : 'BUNDLE_TRUNCATED');
  }
});

it('refuses a version that it does not know, before anything else', async () => {
  const bytes = await readFile(path);
  const at = bytes.indexOf('"version":1');
  bytes.write('"version":7', at);
  await writeFile(path, bytes);
  await expect(openBundle(path)).rejects.toMatchObject({ code: 'BUNDLE_VERSION_UNKNOWN', exitCode: 2 });
});

it.each([
  ['another tar', async () => writeFile(path, Buffer.alloc(10_240))],
  ['text', async () => writeFile(path, 'kind: ClusterConfig\n'.repeat(100))],
])('refuses %s', async (_, make) => {
  await make();
  expect((await judge()).code).toBe('BUNDLE_INVALID');
});

it('makes a bundle that was damaged whole again, fetching only what is damaged', async () => {
  const { plan, manifest } = await opened();
  const kubelet = manifest.items.find(({ name }) => name === 'kubelet');
  await flip((kubelet && plan.blobs.get(kubelet.digest)?.offset) ?? 0);
  const before = site.sentBytes();
  // Another table of contents, so that the bundle has to be written anew.
  const again = await site.create({ path, upgradeTo: 'v1.36.4', allowUnpinned: true }).catch((error: unknown) => error);
  expect(again).toBeInstanceOf(Error);
  const result = await site.create({ path, upgradeTo: 'v1.37.1' });

  expect((await judge()).statuses).toEqual([]);
  expect(result.keptBytes).toBeGreaterThan(0);
  expect(site.sentBytes() - before).toBeLessThan(result.sizeBytes - result.keptBytes + 10_000);
});

describe('signatures', () => {
  it('are verified with the key, and refused with another', async () => {
    const [own, other] = [join(dir, 'own.key'), join(dir, 'other.key')];
    await writeKeyPair(own);
    await writeKeyPair(other);
    await site.create({ path, signKey: await readPrivateKey(own) });
    const bundle = await openBundle(path);
    await bundle.close();
    const { manifestBytes, signature } = bundle;
    const check = (
      key?: Awaited<ReturnType<typeof readPublicKey>>,
      policy?: 'always' | 'if-present' | 'never',
    ): unknown => checkSignature(path, manifestBytes, signature, key, policy);

    expect(check(await readPublicKey(`${own}.pub`))).toMatchObject({ status: 'valid' });
    expect(check()).toMatchObject({ status: 'not-checked' });
    expect(check(undefined, 'never')).toEqual({ status: 'none' });
    const wrongKey = await readPublicKey(`${other}.pub`);
    expect(() => check(wrongKey)).toThrow(expect.objectContaining({ code: 'BUNDLE_SIGNATURE_KEY' }) as Error);
    const right = await readPublicKey(`${own}.pub`);
    expect(() => check(right, 'never')).toThrow(expect.objectContaining({ code: 'BUNDLE_SIGNATURE_POLICY' }) as Error);
    const changed = Buffer.from(manifestBytes).fill('x', 40, 41);
    expect(() => checkSignature(path, changed, signature, right)).toThrow(
      expect.objectContaining({ code: 'BUNDLE_SIGNATURE_WRONG' }) as Error,
    );
    expect(() => checkSignature(path, manifestBytes, undefined, right)).toThrow(
      expect.objectContaining({ code: 'BUNDLE_SIGNATURE_MISSING' }) as Error,
    );
    await expect(writeKeyPair(own)).rejects.toMatchObject({ code: 'BUNDLE_KEY_EXISTS' });
  });
});

describe('create', () => {
  it('says what is missing for a platform that an image does not have, and fetches nothing', async () => {
    const fresh = join(dir, 'fresh.tar');
    const name = 'registry.k8s.io/kube-proxy:v1.36.3';
    const only = site.images.get(name)?.images[0];
    const entry = {
      bytes: Buffer.from(only?.manifest.bytes ?? []),
      mediaType: only?.manifest.descriptor.mediaType ?? '',
    };
    site.registry.manifests.set('kube-proxy:v1.36.3', entry);
    const before = site.files.sentBytes;

    await expect(site.create({ path: fresh, platforms: ['linux/amd64', 'linux/arm64'] })).rejects.toMatchObject({
      errors: [{ code: 'BUNDLE_INCOMPLETE', message: expect.stringContaining(`${name} for linux/arm64`) as string }],
    });
    expect(site.files.sentBytes).toBe(before);
    expect((await readdir(dir)).filter((file) => file.startsWith('fresh'))).toEqual([]);
  });

  it('says how many bytes the disk lacks before it writes one', async () => {
    const fresh = join(dir, 'fresh.tar');
    const before = site.sentBytes();
    const failed = site.create({ path: fresh, freeBytes: () => Promise.resolve(made.sizeBytes - 777) });

    await expect(failed).rejects.toMatchObject({
      code: 'BUNDLE_DISK_TOO_SMALL',
      message: expect.stringContaining('777 bytes') as string,
    });
    // Configurations of single images aside, nothing was read either.
    expect(site.sentBytes() - before).toBe(0);
    expect((await readdir(dir)).filter((file) => file.startsWith('fresh'))).toEqual([]);
  });

  it('names the file that its origin gives with other bytes, leaves no bundle, and goes on when that is mended', async () => {
    const fresh = join(dir, 'fresh.tar');
    const [name, right] = [...site.files.contents].find(([key]) => key.endsWith('amd64/kubelet')) ?? [
      '',
      Buffer.alloc(0),
    ];
    site.files.contents.set(name, Buffer.from(right).fill(7, 0, 9));

    await expect(site.create({ path: fresh })).rejects.toMatchObject({
      code: 'OCI_WRONG_DIGEST',
      message: expect.stringContaining('amd64/kubelet') as string,
    });
    expect((await readdir(dir)).includes('fresh.tar')).toBe(false);
    site.files.contents.set(name, right);
    await site.create({ path: fresh });
    expect((await readFile(fresh)).equals(await readFile(path))).toBe(true);
  });

  it('names every file that is not there', async () => {
    for (const name of site.files.contents.keys()) if (/kubectl|runc/.test(name)) site.files.contents.delete(name);

    await expect(site.create({ path: join(dir, 'fresh.tar') })).rejects.toMatchObject({
      errors: [{ code: 'WEB_FILE_NOT_FOUND' }, { code: 'WEB_FILE_NOT_FOUND' }],
    });
  });

  it('lets one process at a time write a bundle', async () => {
    const fresh = join(dir, 'fresh.tar');
    const results = await Promise.allSettled([site.create({ path: fresh }), site.create({ path: fresh })]);

    const reasons = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
    expect(reasons).toEqual([expect.objectContaining({ code: 'BUNDLE_BUSY' })]);
  });
});
