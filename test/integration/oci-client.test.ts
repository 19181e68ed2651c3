import { createServer, request as httpRequest, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { readFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createLayout } from '../../src/oci/layout.ts';
import { copy } from '../../src/oci/copy.ts';
import { fixedCredentials } from '../../src/oci/credentials.ts';
import { readBlob } from '../../src/oci/read-blob.ts';
import { parseReference } from '../../src/oci/reference.ts';
import { createRegistryStore } from '../../src/oci/registry.ts';
import type { RegistryOptions } from '../../src/oci/registry-config.ts';
import { serveRegistry, type ServedRegistry } from '../../src/oci/serve.ts';
import type { OciStore, WritableOciStore } from '../../src/oci/store.ts';
import { serverCertificate } from '../lab/upstream/certificates.ts';
import { makeImage, putImage, randomBlob } from '../support/oci/images.ts';
import { answerWith, TestRegistry } from '../support/oci/registry.ts';

const layer = randomBlob(200_000);
const image = makeImage([layer]);
const closing: (() => Promise<unknown>)[] = [];
let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'oci-client-'));
});

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  await rm(dir, { recursive: true, force: true });
});

async function startRegistry(): Promise<TestRegistry> {
  const registry = await new TestRegistry().start();
  closing.push(() => registry.close());
  return registry;
}

function client(options: RegistryOptions = {}): WritableOciStore {
  const store = createRegistryStore({ patience: { baseDelayMs: 1, maxDelayMs: 5, attempts: 2 }, ...options });
  closing.push(() => store.close());
  return store;
}

/** A registry over TLS that holds the image as example.test/app:v1. */
async function startTls(options: { account?: boolean } = {}): Promise<ServedRegistry & { ca: string }> {
  const layout = await createLayout(join(dir, 'layout'));
  await putImage(layout, parseReference('example.test/app:v1'), image);
  const files = await serverCertificate(join(dir, 'tls'), ['example.test', '127.0.0.1']);
  const tls = { certificate: await readFile(files.certificate, 'utf8'), key: await readFile(files.key, 'utf8') };
  const account = { scheme: 'token', username: 'alice', password: 'secret' } as const;
  const served = await serveRegistry(layout, { tls, ...(options.account === true ? { account } : {}) });
  closing.push(() => served.close());
  return { ...served, ca: await readFile(files.ca, 'utf8') };
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(
    () =>
      new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      }),
  );
  return (server.address() as AddressInfo).port;
}

async function pulls(store: OciStore, name: string): Promise<boolean> {
  const reference = parseReference(name);
  await store.readManifest(reference);
  return (await readBlob(store, reference, layer.descriptor)).equals(layer.bytes);
}

describe('connections', () => {
  it('are made by somebody else where one is given, TLS and the names in it as usual', async () => {
    const served = await startTls({ account: true });
    const targets: string[] = [];
    const store = client({
      credentials: fixedCredentials({ 'example.test': { username: 'alice', password: 'secret' } }),
      hosts: {
        'example.test': {
          ca: served.ca,
          connect: ({ host, port }) => {
            targets.push(`${host}:${port}`);
            return Promise.resolve(connect(served.port, '127.0.0.1'));
          },
        },
      },
    });

    expect(await pulls(store, 'example.test/app:v1')).toBe(true);
    expect(new Set(targets)).toEqual(new Set(['example.test:443']));
  });

  it('that cannot be made are an error that names the registry', async () => {
    const store = client({
      hosts: { 'example.test': { connect: () => Promise.reject(new Error('the tunnel is closed')) } },
    });

    await expect(store.resolve(parseReference('example.test/app:v1'))).rejects.toMatchObject({
      code: 'OCI_UNREACHABLE',
      message: expect.stringMatching(/example\.test.*the tunnel is closed/) as string,
    });
  });

  it('go through the proxy of the environment, but not to hosts that are excepted', async () => {
    const served = await startTls();
    const registry = await startRegistry();
    await putImage(client(), parseReference(`${registry.host}/app:v1`), image);
    const asked: string[] = [];
    const proxy = createServer((incoming, outgoing) => {
      asked.push(`${incoming.method ?? ''} ${incoming.url ?? ''}`);
      const url = new URL(incoming.url ?? '');
      const { port } = new URL(`http://${registry.host}`);
      const forward = httpRequest({
        host: '127.0.0.1',
        port,
        path: url.pathname,
        method: incoming.method,
        headers: incoming.headers,
      });
      forward.on('response', (response) => {
        outgoing.writeHead(response.statusCode ?? 500, response.headers);
        response.pipe(outgoing);
      });
      incoming.pipe(forward);
    });
    proxy.on('connect', (incoming, socket) => {
      asked.push(`CONNECT ${incoming.url ?? ''}`);
      const upstream = connect(served.port, '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n');
        socket.pipe(upstream).pipe(socket);
      });
      for (const side of [socket, upstream]) side.on('error', () => side.destroy());
      // The server no longer counts a tunnel among its connections, so it is closed by hand.
      closing.push(() => Promise.resolve([socket, upstream].map((side) => side.destroy())));
    });
    const address = `http://127.0.0.1:${await listen(proxy)}`;
    const proxyEnv = { HTTPS_PROXY: address, HTTP_PROXY: address, NO_PROXY: '127.0.0.1' };
    const store = client({ proxyEnv, hosts: { 'example.test': { ca: served.ca }, 'plain.test': { plainHttp: true } } });

    expect(await pulls(store, 'example.test/app:v1')).toBe(true);
    expect(asked).toContain('CONNECT example.test:443');
    expect(await pulls(store, 'plain.test/app:v1')).toBe(true);
    expect(asked.some((item) => item.startsWith('GET http://plain.test/v2/app/manifests/v1'))).toBe(true);
    const before = asked.length;
    expect(await pulls(store, `${registry.host}/app:v1`)).toBe(true);
    expect(asked.length).toBe(before);
  });
});

describe('mirrors', () => {
  it('that has other bytes is passed over in a copy too', async () => {
    const [mirror, origin] = [await startRegistry(), await startRegistry()];
    for (const { host } of [mirror, origin]) await putImage(client(), parseReference(`${host}/app:v1`), image);
    mirror.blobs.set(layer.descriptor.digest, Buffer.alloc(layer.bytes.length, 1));
    const store = client({ hosts: { [origin.host]: { mirrors: [{ host: mirror.host }] } } });
    const layout = await createLayout(join(dir, 'copied'));
    const from = parseReference(`${origin.host}/app:v1`);

    const { images } = await copy(store, layout, [{ from, to: from }], { baseDelayMs: 1 });

    expect(images[0]?.error).toBeUndefined();
    expect((await readBlob(layout, from, layer.descriptor)).equals(layer.bytes)).toBe(true);
  });

  it('that lie below a path are asked there', async () => {
    const [mirror, origin] = [await startRegistry(), await startRegistry()];
    await putImage(client(), parseReference(`${mirror.host}/app:v1`), image);
    const port = await listen(
      createServer((incoming, outgoing) => {
        const path = /^\/artifacts\/docker(\/v2\/.*)$/.exec(incoming.url ?? '')?.[1];
        outgoing.writeHead(path === undefined ? 404 : 307, { location: `http://${mirror.host}${path ?? ''}` }).end();
      }),
    );
    const mirrors = [{ host: `127.0.0.1:${port}`, path: '/artifacts/docker' }];

    expect(await pulls(client({ hosts: { [origin.host]: { mirrors } } }), `${origin.host}/app:v1`)).toBe(true);
    expect(origin.asked).toEqual([]);
  });

  it('are named where the registry fails too', async () => {
    const [mirror, origin] = [await startRegistry(), await startRegistry()];
    mirror.fault = answerWith(403);
    origin.fault = answerWith(500);
    const store = client({ hosts: { [origin.host]: { mirrors: [{ host: mirror.host }] } } });

    await expect(store.readManifest(parseReference(`${origin.host}/app:v1`))).rejects.toMatchObject({
      code: 'OCI_SERVER_ERROR',
      message: expect.stringMatching(`${origin.host} answered 500.*${mirror.host}.* answered 403`) as string,
    });
  });

  it.each<[string, (mirror: TestRegistry) => void]>([
    ['has it', () => undefined],
    ['does not have it', (mirror) => mirror.manifests.clear()],
    ['has the manifest but not the blob', (mirror) => mirror.links.clear()],
    ['fails', (mirror) => (mirror.fault = answerWith(500))],
    ['answers with an error that means nothing', (mirror) => (mirror.fault = answerWith(400))],
    [
      'has other bytes of a blob',
      (mirror) => mirror.blobs.set(layer.descriptor.digest, Buffer.alloc(layer.bytes.length, 1)),
    ],
    [
      'has more bytes of a blob',
      (mirror) => mirror.blobs.set(layer.descriptor.digest, Buffer.concat([layer.bytes, Buffer.alloc(10)])),
    ],
    [
      'wants a login',
      (mirror) => (mirror.fault = answerWith(401, { headers: { 'www-authenticate': 'Basic realm="x"' } })),
    ],
    [
      'is no registry',
      (mirror) => (mirror.fault = answerWith(200, { headers: { 'content-type': 'text/html' }, body: '<html>' })),
    ],
  ])('are asked first; one that %s is no obstacle', async (what, change) => {
    const [mirror, origin] = [await startRegistry(), await startRegistry()];
    await putImage(client(), parseReference(`${mirror.host}/cache/app:v1`), image);
    await putImage(client(), parseReference(`${origin.host}/app:v1`), image);
    change(mirror);
    origin.asked.length = 0;
    const store = client({ hosts: { [origin.host]: { mirrors: [{ host: mirror.host, prefix: 'cache' }] } } });

    expect(await pulls(store, `${origin.host}/app:v1`)).toBe(true);
    expect(origin.asked.length === 0).toBe(what === 'has it');
  });

  it('are not written to', async () => {
    const [mirror, origin] = [await startRegistry(), await startRegistry()];
    const store = client({ hosts: { [origin.host]: { mirrors: [{ host: mirror.host }] } } });

    await putImage(store, parseReference(`${origin.host}/app:v1`), image);

    expect([mirror.manifests.size, origin.manifests.size]).toEqual([0, 2]);
  });
});

describe('redirects', () => {
  it('are followed to another host, which is not shown who we are', async () => {
    const registry = await startRegistry();
    const other = await startRegistry();
    await putImage(client(), parseReference(`${registry.host}/app:v1`), image);
    await putImage(client(), parseReference(`${other.host}/app:v1`), image);
    registry.fault = (asked, response) => {
      if (asked.authorization === undefined) response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
      else if (asked.path.includes('/blobs/'))
        response.writeHead(307, { location: `http://${other.host}${asked.path}` }).end();
      else return false;
      return true;
    };
    other.asked.length = 0;
    const store = client({
      credentials: fixedCredentials({ [registry.host]: { username: 'alice', password: 'secret' } }),
    });

    expect(await pulls(store, `${registry.host}/app:v1`)).toBe(true);
    expect(other.asked).toMatchObject([{ method: 'GET', authorization: undefined }]);
    expect(registry.asked.at(-1)?.authorization).toMatch(/^Basic /);
  });

  it('in a circle are an error', async () => {
    const registry = await startRegistry();
    registry.fault = answerWith(307, { part: 'manifests', headers: { location: '/v2/app/manifests/v1' } });

    await expect(client().resolve(parseReference(`${registry.host}/app:v1`))).rejects.toThrow('redirects in a circle');
  });
});

describe('a server that knows no ranges', () => {
  it('sends the whole blob, of which the part is taken', async () => {
    const registry = await startRegistry();
    const name = parseReference(`${registry.host}/app:v1`);
    await putImage(client(), name, image);
    registry.fault = (asked, response) => {
      if (asked.method !== 'GET' || !asked.path.includes('/blobs/')) return false;
      response.writeHead(200).end(layer.bytes);
      return true;
    };
    const chunks: Buffer[] = [];
    const stream = await client().openBlob(name, layer.descriptor, { startByte: 70_000, endByte: 150_000 });
    for await (const chunk of stream as AsyncIterable<Buffer>) chunks.push(chunk);

    expect(Buffer.concat(chunks).equals(layer.bytes.subarray(70_000, 150_000))).toBe(true);
  });
});

describe('an abort', () => {
  it('ends a request that waits, with its reason', async () => {
    const registry = await startRegistry();
    const controller = new AbortController();
    registry.fault = (asked) => {
      if (asked.path.includes('manifests')) controller.abort(new Error('enough'));
      return asked.path.includes('manifests');
    };

    await expect(
      client().resolve(parseReference(`${registry.host}/app:v1`), { signal: controller.signal }),
    ).rejects.toThrow('enough');
  });
});
