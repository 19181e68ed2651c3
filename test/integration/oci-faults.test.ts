import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { InstallerError } from '../../src/errors.ts';
import { copy } from '../../src/oci/copy.ts';
import type { CopiedImage } from '../../src/oci/copy-types.ts';
import { createLayout, partialPath } from '../../src/oci/layout.ts';
import { blobPath } from '../../src/oci/layout-reader.ts';
import { parseReference, type Reference } from '../../src/oci/reference.ts';
import { createRegistryStore } from '../../src/oci/registry.ts';
import type { RegistryOptions } from '../../src/oci/registry-config.ts';
import type { WritableOciStore } from '../../src/oci/store.ts';
import { makeImage, putImage, randomBlob, type TestImage } from '../support/oci/images.ts';
import { answerWith, TestRegistry, type Fault } from '../support/oci/registry.ts';

const stallMs = 300;
let registry: TestRegistry;
let dir: string;
let layout: WritableOciStore;
let image: TestImage;
const local = parseReference('example.com/app:v1');
const stores: WritableOciStore[] = [];

function remote(options: RegistryOptions = {}): WritableOciStore {
  const store = createRegistryStore({ patience: { baseDelayMs: 1, maxDelayMs: 5, attempts: 3, stallMs }, ...options });
  stores.push(store);
  return store;
}

function there(): Reference {
  return parseReference(`${registry.host}/app:v1`);
}

async function pull(): Promise<CopiedImage> {
  return one(await copy(remote(), layout, [{ from: there(), to: local }], { attempts: 3, baseDelayMs: 1 }));
}

async function push(options: RegistryOptions = {}): Promise<CopiedImage> {
  return one(await copy(layout, remote(options), [{ from: local, to: there() }], { attempts: 3, baseDelayMs: 1 }));
}

function one({ images }: { images: readonly CopiedImage[] }): CopiedImage {
  const [first] = images;
  if (first === undefined) throw new Error('nothing was copied');
  return first;
}

/** What a person reads of an error. */
function shown({ error }: CopiedImage): string {
  return error === undefined ? 'no error' : `${error.message}\n${error.remedy ?? ''}`;
}

beforeEach(async () => {
  registry = await new TestRegistry().start();
  dir = await mkdtemp(join(tmpdir(), 'oci-faults-'));
  layout = await createLayout(dir);
  image = makeImage([randomBlob(500_000), randomBlob(70_000)]);
});

afterEach(async () => {
  for (const store of stores.splice(0)) await store.close();
  await registry.close();
  await rm(dir, { recursive: true, force: true });
});

const html = { headers: { 'content-type': 'text/html' }, body: '<html><body>Please log in</body></html>' };
const denied = {
  headers: { 'content-type': 'application/json' },
  body: '{"errors":[{"code":"DENIED","message":"not yours"}]}',
};

interface Row {
  readonly name: string;
  readonly fault: Fault;
  readonly code: string;
  /** What the message must say. */
  readonly says: string;
}

describe('a registry that fails while it is read', () => {
  const rows: Row[] = [
    { name: '401', fault: answerWith(401, { part: 'manifests' }), code: 'OCI_UNAUTHORIZED', says: 'log in' },
    {
      name: '403',
      fault: answerWith(403, { part: 'manifests', ...denied }),
      code: 'OCI_FORBIDDEN',
      says: 'DENIED (not yours)',
    },
    { name: '500', fault: answerWith(500, { part: 'blobs' }), code: 'OCI_SERVER_ERROR', says: 'answered 500' },
    {
      name: '429 without end',
      fault: answerWith(429, { part: 'blobs' }),
      code: 'OCI_TOO_MANY_REQUESTS',
      says: 'mirror',
    },
    { name: 'HTML for the API', fault: answerWith(200, { ...html }), code: 'OCI_NOT_A_REGISTRY', says: 'login page' },
    {
      name: 'HTML for a manifest',
      fault: answerWith(200, { part: 'manifests', ...html }),
      code: 'OCI_NOT_A_REGISTRY',
      says: 'text/html',
    },
    {
      name: 'HTML for a blob',
      fault: answerWith(200, { part: 'blobs', ...html }),
      code: 'OCI_NOT_A_REGISTRY',
      says: 'text/html',
    },
    {
      name: 'a page of a proxy with 502',
      fault: answerWith(502, { part: 'manifests', ...html }),
      code: 'OCI_SERVER_ERROR',
      says: 'web page',
    },
    {
      name: 'a manifest with other bytes',
      fault: (asked, response) => {
        if (asked.method !== 'GET' || !asked.path.includes('manifests')) return false;
        const digest = image.manifest.descriptor.digest;
        response.writeHead(200, {
          'content-type': image.manifest.descriptor.mediaType,
          'docker-content-digest': digest,
        });
        response.end('{"schemaVersion":2}');
        return true;
      },
      code: 'OCI_WRONG_DIGEST',
      says: 'proxy that changes contents',
    },
    {
      name: 'a blob with other bytes',
      fault: otherBytes(0),
      code: 'OCI_WRONG_DIGEST',
      says: 'proxy that changes contents',
    },
    { name: 'a blob with more bytes', fault: otherBytes(1000), code: 'OCI_WRONG_SIZE', says: 'gave' },
    {
      name: 'a blob that stalls at its first byte',
      fault: (asked, response) => {
        if (!asked.path.includes('blobs')) return false;
        response.writeHead(200, { 'content-length': 500_000 }).flushHeaders();
        return true;
      },
      code: 'OCI_STALLED',
      says: 'nothing came',
    },
    {
      name: 'a manifest that stalls half way',
      fault: (asked, response) => asked.path.includes('manifests') && halfOf(response),
      code: 'OCI_STALLED',
      says: 'nothing came',
    },
    {
      name: 'an API that stalls half way',
      fault: (asked, response) => asked.path === '/v2/' && halfOf(response),
      code: 'OCI_STALLED',
      says: 'asking',
    },
    {
      name: 'a token that stalls half way',
      fault: (asked, response, request) =>
        asked.path.startsWith('/token')
          ? halfOf(response)
          : answerWith(401, { headers: bearer() })(asked, response, request),
      code: 'OCI_STALLED',
      says: 'token',
    },
    {
      name: 'an error whose text stalls half way',
      fault: (asked, response) => asked.path.includes('manifests') && halfOf(response, 403),
      code: 'OCI_FORBIDDEN',
      says: 'answered 403',
    },
    {
      name: 'no answer at all',
      fault: (asked) => asked.path.includes('manifests'),
      code: 'OCI_STALLED',
      says: 'nothing came',
    },
    {
      name: 'connections that break at once',
      fault: (asked, response) => asked.path.includes('manifests') && Boolean(response.socket?.resetAndDestroy()),
      code: 'OCI_CONNECTION_LOST',
      says: registryRuns,
    },
  ];

  it.each(rows)('$name', async ({ fault, code, says }) => {
    await putImage(remote(), there(), image);
    registry.fault = fault;

    const result = await pull();

    expect(result.error?.code).toBe(code);
    expect(shown(result)).toContain(says);
    expect(shown(result)).toContain(registry.host);
    expect(await layout.resolve(local)).toBeUndefined();
    registry.fault = undefined;
    expect((await pull()).status).toBe('copied');
  });

  it('asks again where a manifest breaks or stalls half way', async () => {
    await putImage(remote(), there(), image);
    let count = 0;
    registry.fault = (asked, response) => {
      if (asked.method !== 'GET' || !asked.path.includes('manifests') || (count += 1) > 2) return false;
      halfOf(response);
      if (count === 1) setTimeout(() => response.socket?.resetAndDestroy(), 20);
      return true;
    };

    expect((await pull()).status).toBe('copied');
    expect(count).toBe(3);
  });

  it('does not wait for tags and referrers that stall half way', async () => {
    await putImage(remote(), there(), image);
    registry.fault = (asked, response) => /tags|referrers/.test(asked.path) && halfOf(response, 200);

    await expect(remote().listTags(there())).rejects.toMatchObject({ code: 'OCI_STALLED' });
    await expect(remote().listReferrers(there(), image.manifest.descriptor.digest)).rejects.toMatchObject({
      code: 'OCI_STALLED',
    });
  });

  it('waits as long as Retry-After asks, and then succeeds', async () => {
    await putImage(remote(), there(), image);
    registry.fault = answerWith(429, { part: 'manifests', times: 1, headers: { 'retry-after': '1' } });
    const started = performance.now();

    const result = await copy(remote({ patience: { baseDelayMs: 1, maxDelayMs: 5 } }), layout, [
      { from: there(), to: local },
    ]);

    expect(one(result).status).toBe('copied');
    expect(performance.now() - started).toBeGreaterThan(990);
  });

  it('gets through errors that pass', async () => {
    await putImage(remote(), there(), image);
    let count = 0;
    registry.fault = (asked, response) => {
      count += 1;
      // Each request fails twice, in another way, before it is answered.
      if (count % 3 === 0) return false;
      if (count % 3 === 1) response.socket?.resetAndDestroy();
      else response.writeHead(503).end();
      return true;
    };

    expect((await pull()).status).toBe('copied');
  });
});

const registryRuns = 'check that';

/** Begins an answer and says no more. */
function halfOf(response: ServerResponse, status = 200): true {
  response.writeHead(status, { 'content-type': 'application/vnd.oci.image.index.v1+json', 'content-length': 1000 });
  response.write('{"schemaVersion":2,');
  return true;
}

function bearer(): Record<string, string> {
  return { 'www-authenticate': `Bearer realm="http://${registry.host}/token",service="test"` };
}

/** Blobs come with bytes that are not theirs, and so many too many. */
function otherBytes(tooMany: number): Fault {
  return (asked, response) => {
    const digest = /blobs\/(sha256:\w+)$/.exec(asked.path)?.[1];
    const bytes = digest === undefined ? undefined : registry.blobs.get(digest);
    if (asked.method !== 'GET' || bytes === undefined) return false;
    response.writeHead(200).end(Buffer.concat([Buffer.alloc(bytes.length, 1), Buffer.alloc(tooMany)]));
    return true;
  };
}

describe('a registry that fails while it is written to', () => {
  const rows: Row[] = [
    { name: '401', fault: answerWith(401, { method: 'POST' }), code: 'OCI_UNAUTHORIZED', says: 'log in' },
    { name: '403', fault: answerWith(403, { method: 'POST', ...denied }), code: 'OCI_FORBIDDEN', says: 'project' },
    {
      name: '404 of a project that is not made',
      fault: answerWith(404, { method: 'POST' }),
      code: 'OCI_NOT_FOUND',
      says: 'project',
    },
    {
      name: '413',
      fault: answerWith(413, { method: 'PUT', part: 'uploads', ...html }),
      code: 'OCI_TOO_LARGE',
      says: 'client_max_body_size',
    },
    {
      name: '500 at the end of an upload',
      fault: answerWith(500, { method: 'PUT', part: 'uploads' }),
      code: 'OCI_SERVER_ERROR',
      says: 'answered 500',
    },
    {
      name: '500 for a manifest',
      fault: answerWith(500, { method: 'PUT', part: 'manifests' }),
      code: 'OCI_SERVER_ERROR',
      says: 'app:v1',
    },
    {
      name: 'an upload that stalls',
      fault: (asked, _response, request) =>
        asked.method === 'PUT' && asked.path.includes('uploads') && Boolean(request.pause()),
      code: 'OCI_STALLED',
      says: 'nothing came',
    },
    {
      name: 'a registry that keeps other bytes of a manifest',
      fault: answerWith(201, {
        method: 'PUT',
        part: 'manifests',
        headers: { 'docker-content-digest': `sha256:${'0'.repeat(64)}` },
      }),
      code: 'OCI_WRONG_DIGEST',
      says: 'changes manifests',
    },
  ];

  it.each(rows)('$name', async ({ fault, code, says }) => {
    await putImage(layout, local, image);
    registry.fault = fault;

    const result = await push();

    expect(result.error?.code).toBe(code);
    expect(shown(result)).toContain(says);
    expect(shown(result)).toContain(registry.host);
    expect(registry.manifests.size).toBe(0);
    registry.fault = undefined;
    expect((await push()).status).toBe('copied');
  });

  it('finds a flipped byte in the source before the registry has the blob', async () => {
    await putImage(layout, local, image);
    const [, blob] = image.blobs;
    if (blob === undefined) throw new Error('the image has no layer');
    const flipped = Buffer.from(blob.bytes);
    flipped[1234] = (flipped[1234] ?? 0) ^ 1;
    await writeFile(join(dir, blobPath(blob.descriptor.digest)), flipped);

    const result = await push();

    expect(result.error).toMatchObject({ code: 'OCI_WRONG_DIGEST' });
    expect(shown(result)).toContain(dir);
    expect(registry.blobs.has(blob.descriptor.digest)).toBe(false);
  });

  it.each([
    ['PUT', 'uploads', undefined],
    ['PATCH', 'uploads', 200_000],
    ['PUT', 'manifests', undefined],
  ])('waits with %s of %s as long as Retry-After asks, and then succeeds', async (method, part, chunkBytes) => {
    await putImage(layout, local, image);
    registry.fault = answerWith(429, { method, part, times: 2, headers: { 'retry-after': '1' } });
    const started = performance.now();

    expect((await push({ chunkBytes })).status).toBe('copied');
    expect(performance.now() - started).toBeGreaterThan(990);
  });

  it('does not wait for an hour: it says that it is asked to', async () => {
    await putImage(layout, local, image);
    registry.fault = answerWith(429, { headers: { 'retry-after': '3600' } });

    const result = await push();

    expect(result.error?.code).toBe('OCI_TOO_MANY_REQUESTS');
    expect(shown(result)).toContain('3600 s');
    expect(registry.asked).toHaveLength(1);
  });

  it('goes below the limit of a proxy with smaller requests', async () => {
    await putImage(layout, local, image);
    const limit = 64 * 1024;
    registry.fault = (asked, response, request) =>
      Number(request.headers['content-length'] ?? 0) > limit && answerWith(413)(asked, response, request);

    const large = await push();
    const small = await push({ chunkBytes: limit });

    expect(large.error?.code).toBe('OCI_TOO_LARGE');
    expect(small.status).toBe('copied');
    expect(registry.count('PATCH')).toBeGreaterThan(7);
  });
});

describe('a partial blob of which a byte is wrong', () => {
  it('is dropped and fetched anew', async () => {
    await putImage(remote(), there(), image);
    const [, blob] = image.blobs;
    if (blob === undefined) throw new Error('the image has no layer');
    const before = await copy(remote(), layout, [{ from: parseReference(`${registry.host}/none:v1`), to: local }]);
    expect(one(before).error).toBeInstanceOf(InstallerError);
    const partial = partialPath(dir, blob.descriptor.digest);
    await layout.putBlob(local, blob.descriptor, () => Promise.reject(new Error('not now'))).catch(() => undefined);
    await writeFile(partial, Buffer.alloc(1000, 7));

    const result = await copy(remote(), layout, [{ from: there(), to: local }], { baseDelayMs: 1 });

    expect(one(result).status).toBe('copied');
    expect(result.retries).toBe(1);
    expect(await readdir(join(dir, '.partial'))).toEqual([]);
  });
});
