import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { copy } from '../../src/oci/copy.ts';
import type { CopiedImage } from '../../src/oci/copy-types.ts';
import { createLayout } from '../../src/oci/layout.ts';
import { parseReference, type Reference } from '../../src/oci/reference.ts';
import { createRegistryStore } from '../../src/oci/registry.ts';
import type { RegistryOptions } from '../../src/oci/registry-config.ts';
import type { WritableOciStore } from '../../src/oci/store.ts';
import { makeImage, putImage, randomBlob } from '../support/oci/images.ts';
import { answerWith, TestRegistry, type Fault } from '../support/oci/registry.ts';

let image = makeImage([randomBlob(500_000), randomBlob(70_000)]);
const local = parseReference('example.com/app:v1');
let registry: TestRegistry;
let dir: string;
let layout: WritableOciStore;
const stores: WritableOciStore[] = [];

beforeEach(async () => {
  registry = await new TestRegistry().start();
  dir = await mkdtemp(join(tmpdir(), 'oci-uploads-'));
  layout = await createLayout(dir);
});

afterEach(async () => {
  for (const store of stores.splice(0)) await store.close();
  await registry.close();
  await rm(dir, { recursive: true, force: true });
});

function there(): Reference {
  return parseReference(`${registry.host}/app:v1`);
}

async function push(options: RegistryOptions & { readonly jobs?: number } = {}): Promise<CopiedImage> {
  const store = createRegistryStore({ patience: { baseDelayMs: 1, maxDelayMs: 5, attempts: 3 }, ...options });
  stores.push(store);
  const { jobs } = options;
  const { images } = await copy(layout, store, [{ from: local, to: there() }], { attempts: 3, baseDelayMs: 1, jobs });
  const [first] = images;
  if (first === undefined) throw new Error('nothing was copied');
  return first;
}

/** What a person reads of an error. */
function shown({ error }: CopiedImage): string {
  return error === undefined ? 'no error' : `${error.message}\n${error.remedy ?? ''}`;
}

describe('a proxy that limits request bodies', () => {
  const limit = 1024 * 1024;
  const refused: number[] = [];
  beforeEach(async () => {
    refused.length = 0;
    image = makeImage([randomBlob(3_000_000), randomBlob(2_500_000), randomBlob(70_000)]);
    await putImage(layout, local, image);
    registry.fault = (asked, response, request) => {
      const length = Number(request.headers['content-length'] ?? 0);
      if (length <= limit) return false;
      refused.push(length);
      return answerWith(413)(asked, response, request);
    };
  });

  it('gets chunks that go through, without being told', async () => {
    expect((await push({ jobs: 1 })).error).toBeUndefined();
    expect(registry.count('PATCH')).toBe(3 + 3);
    // What was learned with one blob holds for the next.
    expect(refused).toHaveLength(1);
    for (const { descriptor, bytes } of image.blobs) {
      expect(registry.blobs.get(descriptor.digest)?.equals(bytes)).toBe(true);
    }
  });

  it('gets chunks from several connections at once', async () => {
    expect((await push()).status).toBe('copied');
    expect(refused.length).toBeLessThanOrEqual(2);
  });

  it('is not tried forever where the whole blob is what is too large', async () => {
    registry.fault = (asked, response, request) =>
      asked.method === 'PUT' && asked.path.includes('uploads') && answerWith(413)(asked, response, request);

    const result = await push();

    expect(result.error?.code).toBe('OCI_TOO_LARGE');
    expect(shown(result)).toContain('client_max_body_size');
    expect(shown(result)).not.toContain('upload in chunks');
    expect(registry.count('POST')).toBeLessThanOrEqual(2 * image.blobs.length);
  });

  it('gets no chunks that are smaller than the registry takes', async () => {
    registry.fault = (asked, response, request) => {
      const length = Number(request.headers['content-length'] ?? 0);
      if (asked.method === 'POST') response.setHeader('oci-chunk-min-length', '2000000');
      return length > 2_600_000 && answerWith(413)(asked, response, request);
    };

    expect((await push({ chunkBytes: 500_000 })).status).toBe('copied');
    expect(registry.count('PATCH')).toBe(2 + 2);
  });
});

describe('a registry that sends uploads elsewhere', () => {
  const moving = (times: number, method: string): Fault => {
    let left = times;
    return (asked, response, request) => {
      if (asked.method !== method || !asked.path.includes('uploads') || left <= 0) return false;
      left -= 1;
      const headers = { location: `http://${registry.host}${asked.path}&moved=${left}` };
      return answerWith(307, { headers })(asked, response, request);
    };
  };

  it.each([
    ['PUT', undefined],
    ['PATCH', 200_000],
  ])('is followed with %s', async (method, chunkBytes) => {
    await putImage(layout, local, image);
    registry.fault = moving(4, method);

    expect((await push({ chunkBytes })).status).toBe('copied');
    expect(registry.asked.some(({ path }) => path.includes('moved'))).toBe(true);
    for (const { descriptor, bytes } of image.blobs) {
      expect(registry.blobs.get(descriptor.digest)?.equals(bytes)).toBe(true);
    }
  });

  it('is not followed in a circle', async () => {
    await putImage(layout, local, image);
    registry.fault = moving(1000, 'PUT');

    const result = await push();

    expect(result.error?.code).toBe('OCI_UNEXPECTED_STATUS');
    expect(shown(result)).toContain('redirects in a circle');
    expect(registry.asked.length).toBeLessThan(100);
  });
});
