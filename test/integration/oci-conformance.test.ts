import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { digestOf } from '../../src/oci/digest.ts';
import { createLayout } from '../../src/oci/layout.ts';
import { readBlob } from '../../src/oci/read-blob.ts';
import { parseReference, withDigest, type Reference } from '../../src/oci/reference.ts';
import { createRegistryStore } from '../../src/oci/registry.ts';
import { serveRegistry, type ServedRegistry } from '../../src/oci/serve.ts';
import type { WritableOciStore } from '../../src/oci/store.ts';
import { readAll } from '../../src/oci/verify.ts';
import { startDockerRegistry, type DockerRegistry } from '../support/oci/docker-registry.ts';
import { makeImage, putImage, randomBlob, toBlob, type TestBlob } from '../support/oci/images.ts';
import { TestRegistry } from '../support/oci/registry.ts';
import { findDockerRegistry, isMissing, pathOf } from '../support/oci/tools.ts';

const tool = await findDockerRegistry();
const layer = randomBlob(100_000);
const image = makeImage([layer, randomBlob(1000)]);
const unknown = digestOf('nobody has this');
let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'oci-conformance-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

/** A registry, a client for it, and one for it that sends in chunks. */
interface Bench {
  readonly at: (name: string) => Reference;
  readonly store: WritableOciStore;
  readonly chunked: WritableOciStore;
}

function put(store: WritableOciStore, name: Reference, blob: TestBlob, mountFrom?: Reference): Promise<string> {
  const open = (startByte: number): Promise<Readable> =>
    Promise.resolve(Readable.from([blob.bytes.subarray(startByte)]));
  return store.putBlob(name, blob.descriptor, open, { mountFrom });
}

async function has(store: WritableOciStore, name: Reference, blob: TestBlob): Promise<boolean> {
  return (await readBlob(store, name, blob.descriptor)).equals(blob.bytes);
}

/** What the conformance suite of the distribution specification asks of a registry, as a client gets to see it: workflows pull and push. */
const rows: readonly { readonly title: string; readonly run: (bench: Bench) => Promise<void> }[] = [
  {
    title: 'pull: HEAD and GET of a blob that is not there say so',
    run: async ({ store, at }) => {
      expect(await store.statBlob(at('app:v1'), unknown)).toBeUndefined();
      await expect(store.openBlob(at('app:v1'), { digest: unknown, sizeBytes: 5 })).rejects.toMatchObject({
        code: 'OCI_NOT_FOUND',
      });
    },
  },
  {
    title: 'pull: HEAD and GET of a blob that is there',
    run: async ({ store, at }) => {
      expect(await store.statBlob(at('app:v1'), layer.descriptor.digest)).toBe(layer.bytes.length);
      expect(await has(store, at('app:v1'), layer)).toBe(true);
    },
  },
  {
    title: 'pull: GET of a part of a blob',
    run: async ({ store, at }) => {
      for (const [startByte, endByte] of [
        [0, 10],
        [99_990, 100_000],
        [500, 70_000],
      ] as const) {
        const stream = await store.openBlob(at('app:v1'), layer.descriptor, { startByte, endByte });
        expect((await readAll(stream, 1e6, 'part', 'test')).equals(layer.bytes.subarray(startByte, endByte))).toBe(
          true,
        );
      }
    },
  },
  {
    title: 'pull: HEAD and GET of a manifest that is not there, by tag and by digest',
    run: async ({ store, at }) => {
      for (const name of [at('app:none'), withDigest(at('app:v1'), unknown), at('nothing/here:v1')]) {
        expect(await store.resolve(name)).toBeUndefined();
        await expect(store.readManifest(name)).rejects.toMatchObject({ code: 'OCI_NOT_FOUND' });
      }
    },
  },
  {
    title: 'pull: HEAD and GET of a manifest by tag and by digest give the same bytes',
    run: async ({ store, at }) => {
      const { descriptor, bytes } = image.manifest;
      for (const name of [at('app:v1'), withDigest(at('app:v1'), descriptor.digest)]) {
        expect(await store.resolve(name)).toEqual(descriptor);
        expect(Buffer.from((await store.readManifest(name)).bytes).equals(Buffer.from(bytes))).toBe(true);
      }
    },
  },
  {
    title: 'push: POST and PUT of a whole blob',
    run: async ({ store, at }) => {
      const blob = randomBlob(70_000);
      expect(await put(store, at('push:v1'), blob)).toBe('written');
      expect(await put(store, at('push:v1'), blob)).toBe('present');
      expect(await has(store, at('push:v1'), blob)).toBe(true);
    },
  },
  {
    title: 'push: a blob of no bytes',
    run: async ({ store, chunked, at }) => {
      const blob = toBlob(Buffer.alloc(0), 'application/octet-stream');
      await put(chunked, at('push:v1'), blob);
      await put(store, at('push/other:v1'), blob);
      expect(await store.statBlob(at('push:v1'), blob.descriptor.digest)).toBe(0);
      expect(await has(store, at('push/other:v1'), blob)).toBe(true);
    },
  },
  {
    title: 'push: PATCH in chunks, the last one smaller',
    run: async ({ store, chunked, at }) => {
      const blob = randomBlob(100_001);
      expect(await put(chunked, at('push:v1'), blob)).toBe('written');
      expect(await has(store, at('push:v1'), blob)).toBe(true);
    },
  },
  {
    title: 'push: a blob whose bytes are others is refused before it can be seen',
    run: async ({ store, chunked, at }) => {
      const blob = { ...randomBlob(100_000), bytes: Buffer.alloc(100_000) };
      for (const way of [store, chunked]) {
        await expect(put(way, at('push:v1'), blob)).rejects.toMatchObject({ code: 'OCI_WRONG_DIGEST' });
      }
      expect(await store.statBlob(at('push:v1'), blob.descriptor.digest)).toBeUndefined();
    },
  },
  {
    title: 'push: a mount from a repository that has the blob, and one from a repository that has not',
    run: async ({ store, at }) => {
      const blob = randomBlob(10_000);
      await put(store, at('push:v1'), blob);
      expect(await put(store, at('mounted:v1'), blob, at('push:v1'))).toBe('mounted');
      expect(await put(store, at('unmounted:v1'), randomBlob(10_000), at('push:v1'))).toBe('written');
      expect(await has(store, at('mounted:v1'), blob)).toBe(true);
    },
  },
  {
    title: 'push: PUT of a manifest by digest, then by tags',
    run: async ({ store, at }) => {
      const other = makeImage([randomBlob(10)]);
      const { digest } = other.manifest.descriptor;
      await putImage(store, withDigest(at('tags:v1'), digest), other);
      expect(await store.listTags(at('tags:v1'))).toEqual([]);
      for (const tag of ['c', 'a', 'b']) await store.putManifest(at(`tags:${tag}`), other.manifest);
      expect(await store.listTags(at('tags:v1'))).toEqual(['a', 'b', 'c']);
      expect(await store.resolve(at('tags:b'))).toMatchObject({ digest });
    },
  },
  {
    title: 'push: a manifest whose layers are not there is refused',
    run: async ({ store, at }) => {
      const lost = makeImage([randomBlob(10)]);
      await expect(store.putManifest(at('lost:v1'), lost.manifest)).rejects.toMatchObject({
        code: 'OCI_MANIFEST_INCOMPLETE',
      });
      expect(await store.resolve(at('lost:v1'))).toBeUndefined();
    },
  },
  {
    title: 'discovery: what refers to an image',
    run: async ({ store, at }) => {
      const subject = image.manifest.descriptor;
      const referrer = makeImage([randomBlob(10)], { subject });
      expect(await store.listReferrers(at('app:v1'), subject.digest)).toEqual([]);
      await putImage(store, withDigest(at('app:v1'), referrer.manifest.descriptor.digest), referrer);
      const found = await store.listReferrers(at('app:v1'), subject.digest, {
        artifactType: 'application/vnd.example.signature',
      });
      expect(found.map(({ digest }) => digest)).toEqual([referrer.manifest.descriptor.digest]);
    },
  },
];

async function benchFor(host: string): Promise<Bench> {
  const patience = { baseDelayMs: 1, maxDelayMs: 5 };
  const bench = {
    at: (name: string) => parseReference(`${host}/${name}`),
    store: createRegistryStore({ patience }),
    chunked: createRegistryStore({ patience, chunkBytes: 30_000 }),
  };
  await putImage(bench.store, bench.at('app:v1'), image);
  return bench;
}

describe('the client, with the registry of the tests (two tags a page)', () => {
  let registry: TestRegistry;
  let bench: Bench;
  beforeAll(async () => {
    registry = await new TestRegistry({ pageSize: 2 }).start();
    bench = await benchFor(registry.host);
  });
  afterAll(() => registry.close());

  it.each(rows)('$title', async ({ run }) => run(bench));
});

describe.skipIf(isMissing("the conformance rows with Debian's docker-registry", tool))(
  "the client, with Debian's docker-registry",
  () => {
    let registry: DockerRegistry;
    let bench: Bench;
    beforeAll(async () => {
      registry = await startDockerRegistry(pathOf(tool), join(dir, 'registry'));
      bench = await benchFor(registry.host);
    });
    afterAll(() => registry.stop());

    it.each(rows)('$title', async ({ run }) => run(bench));
  },
);

describe('the registry that is served from a store', () => {
  let served: ServedRegistry;
  const { digest } = image.manifest.descriptor;
  const blobPath = `/v2/team/app/blobs/${layer.descriptor.digest}`;
  beforeAll(async () => {
    const layout = await createLayout(join(dir, 'served'));
    for (const tag of ['v1', 'v2', 'v3']) await putImage(layout, parseReference(`example.com/team/app:${tag}`), image);
    const referrer = makeImage([randomBlob(10)], { subject: image.manifest.descriptor });
    await putImage(layout, parseReference(`example.com/team/app@${referrer.manifest.descriptor.digest}`), referrer);
    served = await serveRegistry(layout);
  });
  afterAll(() => served.close());

  const answers: readonly (readonly [
    string,
    string,
    string,
    Record<string, string>,
    number,
    Record<string, string>,
  ])[] = [
    ['the API', 'GET', '/v2/', {}, 200, { 'docker-distribution-api-version': 'registry/2.0' }],
    ['a manifest by tag', 'GET', '/v2/team/app/manifests/v1', {}, 200, { 'docker-content-digest': digest }],
    [
      'HEAD of a manifest',
      'HEAD',
      '/v2/team/app/manifests/v1',
      {},
      200,
      { 'content-length': `${image.manifest.bytes.length}` },
    ],
    [
      'a manifest by digest',
      'GET',
      `/v2/team/app/manifests/${digest}`,
      {},
      200,
      { 'content-type': image.manifest.descriptor.mediaType },
    ],
    ['the host in the path', 'GET', '/v2/example.com/team/app/manifests/v1', {}, 200, {}],
    ['the host in the query, as containerd says it', 'GET', '/v2/team/app/manifests/v1?ns=example.com', {}, 200, {}],
    ['another host in the query', 'GET', '/v2/team/app/manifests/v1?ns=other.com', {}, 404, {}],
    ['a tag that is not there', 'GET', '/v2/team/app/manifests/none', {}, 404, {}],
    ['a repository that is not there', 'GET', '/v2/team/none/manifests/v1', {}, 404, {}],
    ['a blob', 'GET', blobPath, {}, 200, { 'content-length': '100000', 'accept-ranges': 'bytes' }],
    ['HEAD of a blob', 'HEAD', blobPath, {}, 200, { 'content-length': '100000' }],
    [
      'a part of a blob',
      'GET',
      blobPath,
      { range: 'bytes=10-19' },
      206,
      { 'content-range': 'bytes 10-19/100000', 'content-length': '10' },
    ],
    [
      'the rest of a blob',
      'GET',
      blobPath,
      { range: 'bytes=99999-' },
      206,
      { 'content-range': 'bytes 99999-99999/100000' },
    ],
    ['the end of a blob', 'GET', blobPath, { range: 'bytes=-5' }, 206, { 'content-range': 'bytes 99995-99999/100000' }],
    ['a part behind the end', 'GET', blobPath, { range: 'bytes=100000-' }, 416, { 'content-range': 'bytes */100000' }],
    ['a blob that is not there', 'GET', `/v2/team/app/blobs/${unknown}`, {}, 404, {}],
    ['something that is no digest', 'GET', '/v2/team/app/blobs/sha256:abc', {}, 400, {}],
    ['a path out of the store', 'GET', '/v2/team/app/blobs/..%2f..%2findex.json', {}, 404, {}],
    [
      'two tags',
      'GET',
      '/v2/team/app/tags/list?n=2',
      {},
      200,
      { link: '</v2/team/app/tags/list?n=2&last=v2>; rel="next"' },
    ],
    [
      'what refers to an image',
      'GET',
      `/v2/team/app/referrers/${digest}`,
      {},
      200,
      { 'content-type': 'application/vnd.oci.image.index.v1+json' },
    ],
    ['a target that is no address', 'GET', '//', {}, 400, {}],
    ['a path that cannot be decoded', 'GET', '/v2/team/app/manifests/%zz', {}, 400, {}],
    ['a push', 'POST', '/v2/team/app/blobs/uploads/', {}, 405, {}],
    ['what is no part of the API', 'GET', '/elsewhere', {}, 404, {}],
  ];

  it.each(answers)('answers %s: %s', async (_title, method, path, headers, status, expected) => {
    const response = await fetch(`${served.url}${path}`, { method, headers });
    const body = Buffer.from(await response.arrayBuffer());

    expect(response.status).toBe(status);
    expect(Object.fromEntries(response.headers)).toMatchObject(expected);
    if (status >= 400 && status !== 416) expect(body.toString()).toMatch(/"errors":.*"code":/);
    if (path === blobPath && status === 200 && method === 'GET') expect(digestOf(body)).toBe(layer.descriptor.digest);
  });

  it('lists tags page by page, and referrers by type', async () => {
    const json = async (path: string): Promise<unknown> => (await fetch(`${served.url}${path}`)).json();

    expect(await json('/v2/team/app/tags/list?n=2')).toEqual({ name: 'team/app', tags: ['v1', 'v2'] });
    expect(await json('/v2/team/app/tags/list?n=2&last=v2')).toEqual({ name: 'team/app', tags: ['v3'] });
    expect(await json(`/v2/team/app/referrers/${digest}`)).toMatchObject({
      manifests: [{ artifactType: 'application/vnd.example.signature' }],
    });
    expect(await json(`/v2/team/app/referrers/${digest}?artifactType=x`)).toMatchObject({ manifests: [] });
  });
});
