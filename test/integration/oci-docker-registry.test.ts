import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { copy } from '../../src/oci/copy.ts';
import { dockerCredentials, fixedCredentials } from '../../src/oci/credentials.ts';
import { createLayout } from '../../src/oci/layout.ts';
import { parsePlatform } from '../../src/oci/platform.ts';
import { readBlob } from '../../src/oci/read-blob.ts';
import { parseReference, type Reference } from '../../src/oci/reference.ts';
import { createRegistryStore } from '../../src/oci/registry.ts';
import type { RegistryOptions } from '../../src/oci/registry-config.ts';
import type { WritableOciStore } from '../../src/oci/store.ts';
import { startCuttingProxy } from '../support/oci/cutting-proxy.ts';
import {
  account,
  startDockerRegistry,
  type DockerRegistry,
  type DockerRegistryOptions,
} from '../support/oci/docker-registry.ts';
import { makeImage, makeIndex, putImage, putIndex, randomBlob } from '../support/oci/images.ts';
import { findDockerRegistry, isMissing, pathOf } from '../support/oci/tools.ts';

const tool = await findDockerRegistry();
let dir: string;
const registries: DockerRegistry[] = [];
const stores: WritableOciStore[] = [];

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'oci-docker-'));
});

afterEach(async () => {
  for (const store of stores.splice(0)) await store.close();
  for (const registry of registries.splice(0)) await registry.stop();
});

afterAll(() => rm(dir, { recursive: true, force: true }));

let count = 0;

async function start(options: DockerRegistryOptions = {}): Promise<DockerRegistry> {
  count += 1;
  const registry = await startDockerRegistry(pathOf(tool), join(dir, `registry-${count}`), options);
  registries.push(registry);
  return registry;
}

function remote(options: RegistryOptions = {}): WritableOciStore {
  const store = createRegistryStore({ patience: { baseDelayMs: 10, maxDelayMs: 100, attempts: 3 }, ...options });
  stores.push(store);
  return store;
}

/** Settings for a registry with TLS. */
function trusting({ host, ca }: DockerRegistry): RegistryOptions {
  return { hosts: { [host]: { plainHttp: false, ca } } };
}

function at({ host }: DockerRegistry, name: string): Reference {
  return parseReference(`${host}/${name}`);
}

describe.skipIf(isMissing("copies with Debian's docker-registry", tool))("Debian's docker-registry", () => {
  const rows: { name: string; options: DockerRegistryOptions }[] = [
    { name: 'plain HTTP', options: {} },
    { name: 'TLS', options: { tls: true } },
    { name: 'TLS and basic auth', options: { tls: true, auth: 'basic' } },
    { name: 'TLS and token auth', options: { tls: true, auth: 'token' } },
  ];

  it.each(rows)('takes images and gives them back: $name', async ({ options }) => {
    const registry = await start(options);
    const plain: RegistryOptions = registry.ca === undefined ? {} : trusting(registry);
    const access = {
      ...plain,
      ...(options.auth ? { credentials: fixedCredentials({ [registry.host]: account }) } : {}),
    };
    const shared = randomBlob(2_000_000);
    const images = [makeImage([shared, randomBlob(100_000)]), makeImage([shared, randomBlob(0)])];
    const layout = await createLayout(join(dir, `layout-${count}`));
    const nameOf = (index: number): Reference => parseReference(`example.com/team/app${index}:v1`);
    for (const [index, image] of images.entries()) await putImage(layout, nameOf(index), image);
    const items = images.map((_, index) => ({ from: nameOf(index), to: at(registry, `team/app${index}:v1`) }));

    const pushed = await copy(layout, remote({ ...access, willPush: true }), items);
    const again = await copy(layout, remote({ ...access, willPush: true }), items);
    const back = await createLayout(join(dir, `back-${count}`));
    const pulled = await copy(
      remote(access),
      back,
      items.map(({ from, to }) => ({ from: to, to: from })),
    );

    expect(pushed.images.map(({ status, error }) => error?.message ?? status)).toEqual(['copied', 'copied']);
    expect(pushed.blobs).toEqual({ written: 5, mounted: 1, present: 0 });
    expect(again.images.map(({ status }) => status)).toEqual(['present', 'present']);
    expect(pulled.images.map(({ status, error }) => error?.message ?? status)).toEqual(['copied', 'copied']);
    for (const [index, image] of images.entries()) {
      expect(Buffer.from((await back.readManifest(nameOf(index))).bytes)).toEqual(Buffer.from(image.manifest.bytes));
    }
    expect(await remote(access).listTags(at(registry, 'team/app0:v1'))).toEqual(['v1']);
  });

  it('says what is missing to those who are not let in', async () => {
    const registry = await start({ tls: true, auth: 'basic' });
    const name = at(registry, 'app:v1');
    const wrong = fixedCredentials({ [registry.host]: { username: 'alice', password: 'guessed' } });

    await expect(remote({ hosts: { [registry.host]: { plainHttp: false } } }).resolve(name)).rejects.toMatchObject({
      code: 'OCI_TLS',
    });
    await expect(remote(trusting(registry)).resolve(name)).rejects.toMatchObject({
      code: 'OCI_UNAUTHORIZED',
      remedy: expect.stringContaining('log in') as string,
    });
    await expect(remote({ ...trusting(registry), credentials: wrong }).resolve(name)).rejects.toMatchObject({
      code: 'OCI_UNAUTHORIZED',
      remedy: expect.stringContaining('check user and password') as string,
    });
  });

  it('accepts any certificate only where told to, and plain HTTP with it', async () => {
    const tls = await start({ tls: true });
    const plain = await start();
    const insecure = { plainHttp: false, insecure: true };

    expect(await remote({ hosts: { [tls.host]: insecure } }).resolve(at(tls, 'app:v1'))).toBeUndefined();
    expect(await remote({ hosts: { [plain.host]: insecure } }).resolve(at(plain, 'app:v1'))).toBeUndefined();
    await expect(
      remote({ hosts: { [plain.host]: { plainHttp: false } } }).resolve(at(plain, 'app:v1')),
    ).rejects.toMatchObject({
      code: 'OCI_TLS',
    });
  });

  it.each(['auths', 'credHelpers', 'credsStore'])('takes credentials from %s of docker config', async (kind) => {
    const registry = await start({ tls: true, auth: 'token' });
    const home = join(dir, `docker-${kind}`);
    await mkdir(home);
    const helper = join(home, 'docker-credential-testing');
    const answer = JSON.stringify({ ServerURL: registry.host, Username: account.username, Secret: account.password });
    await writeFile(join(home, 'answer.json'), answer);
    await writeFile(
      helper,
      `#!/bin/sh\nread -r host\n[ "$1 $host" = "get ${registry.host}" ] && exec cat ${home}/answer.json\nexit 1\n`,
    );
    await chmod(helper, 0o755);
    const auth = Buffer.from(`${account.username}:${account.password}`).toString('base64');
    const configs = {
      auths: { auths: { [registry.host]: { auth } } },
      credHelpers: { credHelpers: { [registry.host]: 'testing' } },
      credsStore: { credsStore: 'testing' },
    };
    await writeFile(join(home, 'config.json'), JSON.stringify(configs[kind as keyof typeof configs]));
    const env = { ...process.env, DOCKER_CONFIG: home, PATH: `${home}:${process.env['PATH'] ?? ''}` };
    const store = remote({ ...trusting(registry), credentials: dockerCredentials(env) });

    await putImage(store, at(registry, 'app:v1'), makeImage([randomBlob(1000)]));

    expect(await store.listTags(at(registry, 'app:v1'))).toEqual(['v1']);
  });

  it('mounts from another repository', async () => {
    const registry = await start();
    const store = remote();
    await putImage(store, at(registry, 'a:v1'), makeImage([randomBlob(10_000), randomBlob(20_000)]));

    const result = await copy(store, store, [{ from: at(registry, 'a:v1'), to: at(registry, 'b/c:v2') }]);

    expect(result.images[0]?.status).toBe('copied');
    expect(result.blobs).toEqual({ written: 0, mounted: 3, present: 0 });
  });

  it('takes uploads in chunks', async () => {
    const registry = await start();
    const store = remote({ chunkBytes: 300_000 });
    const layer = randomBlob(1_000_001);
    await putImage(store, at(registry, 'a:v1'), makeImage([layer]));

    expect((await readBlob(store, at(registry, 'a:v1'), layer.descriptor)).equals(layer.bytes)).toBe(true);
  });

  it('refuses an index of which manifests are missing, which is said', async () => {
    const registry = await start();
    const arm64 = parsePlatform('linux/arm64');
    const amd64 = parsePlatform('linux/amd64');
    const index = makeIndex([
      { platform: amd64, image: makeImage([randomBlob(1000)]) },
      { platform: arm64, image: makeImage([randomBlob(1000)], { platform: arm64 }) },
    ]);
    const layout = await createLayout(join(dir, 'sparse'));
    await putIndex(layout, parseReference('example.com/a:v1'), index);
    const items = [{ from: parseReference('example.com/a:v1'), to: at(registry, 'a:v1') }];

    const sparse = await copy(layout, remote(), items, { platforms: [amd64] });
    const whole = await copy(layout, remote(), items);

    expect(sparse.images[0]?.error).toMatchObject({ code: 'OCI_SPARSE_INDEX_REFUSED' });
    expect(whole.images[0]).toMatchObject({ status: 'copied', digest: index.manifest.descriptor.digest });
  });

  it('takes an index of the platforms that there are in its place, and never instead of a wider one', async () => {
    const registry = await start();
    const names = ['linux/amd64', 'linux/arm64', 'linux/s390x'].map((text) => parsePlatform(text));
    const [amd64, arm64] = names;
    const index = makeIndex(
      names.map((platform) => ({ platform, image: makeImage([randomBlob(1000)], { platform }) })),
    );
    const layout = await createLayout(join(dir, 'three'));
    await putIndex(layout, parseReference('example.com/a:v1'), index);
    const items = [{ from: parseReference('example.com/a:v1'), to: at(registry, 'a:v1') }];
    const some = {
      platforms: [amd64, arm64].filter((platform) => platform !== undefined),
      whenIndexRefused: 'narrow',
    } as const;

    const [first, again] = [await copy(layout, remote(), items, some), await copy(layout, remote(), items, some)];
    const narrow = await remote().readManifest(at(registry, 'a:v1'));
    await copy(layout, remote(), items);
    const after = await copy(layout, remote(), items, some);

    expect([first, again].map(({ images }) => images[0])).toMatchObject([
      { status: 'narrowed', digest: narrow.descriptor.digest },
      { status: 'narrowed', digest: narrow.descriptor.digest },
    ]);
    const { manifests } = JSON.parse(Buffer.from(narrow.bytes).toString()) as { manifests: { digest: string }[] };
    expect(manifests.map(({ digest }) => digest)).toEqual(
      index.images.slice(0, 2).map(({ manifest }) => manifest.descriptor.digest),
    );
    expect(after.images[0]).toMatchObject({ status: 'present', digest: index.manifest.descriptor.digest });
  });

  it('gives the rest of a pull that was cut, and takes a push that was cut from its start', async () => {
    const registry = await start();
    const layer = randomBlob(30_000_000);
    const layout = await createLayout(join(dir, 'cut'));
    await putImage(layout, parseReference('example.com/a:v1'), makeImage([layer]));
    const port = Number(registry.host.split(':')[1]);
    const up = await startCuttingProxy(port, 'up', [10_000_000, 25_000_000]);

    const push = await copy(layout, remote(), [
      { from: parseReference('example.com/a:v1'), to: parseReference(`${up.host}/a:v1`) },
    ]);
    const down = await startCuttingProxy(port, 'down', [10_000_000, 25_000_000]);
    const back = await createLayout(join(dir, 'cut-back'));
    const pull = await copy(remote(), back, [
      { from: parseReference(`${down.host}/a:v1`), to: parseReference('example.com/a:v1') },
    ]);

    expect([push, pull].map(({ images }) => images[0]?.error?.message)).toEqual([undefined, undefined]);
    expect([up.cuts, down.cuts]).toEqual([2, 2]);
    process.stdout.write(
      `docker-registry, 2 cuts each of 30000000 bytes: ${push.sentBytes} sent in the push, ${pull.sentBytes} in the pull\n`,
    );
    expect(pull.sentBytes).toBeLessThan(31_000_000);
    await up.close();
    await down.close();
  });
});
