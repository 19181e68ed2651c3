import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { copy } from '../../src/oci/copy.ts';
import { createLayout, openLayout } from '../../src/oci/layout.ts';
import { parsePlatform } from '../../src/oci/platform.ts';
import { parseReference } from '../../src/oci/reference.ts';
import { createRegistryStore } from '../../src/oci/registry.ts';
import { serveRegistry } from '../../src/oci/serve.ts';
import type { OciStore } from '../../src/oci/store.ts';
import { openTarLayout } from '../../src/oci/tar-layout.ts';
import { serverCertificate } from '../lab/upstream/certificates.ts';
import { gzipBlob, makeImage, makeIndex, putImage, putIndex, type TestImage } from '../support/oci/images.ts';
import { TestRegistry } from '../support/oci/registry.ts';
import { findCrane, findSkopeo, isMissing, pathOf } from '../support/oci/tools.ts';

const run = promisify(execFile);
const [skopeo, crane] = [await findSkopeo(), await findCrane()];
const amd64 = parsePlatform('linux/amd64');
const arm64 = parsePlatform('linux/arm64');
const name = parseReference('registry.example.com/team/app:v1');
const account = { username: 'alice', password: 'secret' } as const;
let dir: string;
let image: TestImage;
const index = makeIndex([
  { platform: amd64, image: makeImage([gzipBlob(randomBytes(1000))]) },
  { platform: arm64, image: makeImage([gzipBlob(randomBytes(1000))], { platform: arm64 }) },
]);

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'oci-tools-'));
  image = makeImage([gzipBlob(await emptyTar()), gzipBlob(randomBytes(300_000))]);
});

afterAll(() => rm(dir, { recursive: true, force: true }));

/** A layer that programs which look into layers accept. */
async function emptyTar(): Promise<Buffer> {
  const path = join(dir, 'empty.tar');
  await run('tar', ['-cf', path, '-T', '/dev/null']);
  return readFile(path);
}

/** Copies everything that a store has into another layout, which verifies every byte of it. */
async function copyAll(store: OciStore, target: string): Promise<string[]> {
  const references = (await store.listReferences?.()) ?? [];
  const result = await copy(
    store,
    await createLayout(join(dir, target)),
    references.map((item) => ({ from: item, to: item })),
  );
  return result.images.map(({ status, error, digest }) => error?.message ?? `${status} ${digest ?? ''}`);
}

async function withRegistry<T>(work: (registry: TestRegistry) => Promise<T>): Promise<T> {
  const registry = await new TestRegistry().start();
  try {
    const store = createRegistryStore();
    await putImage(store, parseReference(`${registry.host}/team/app:v1`), image);
    await putIndex(store, parseReference(`${registry.host}/team/multi:v1`), index);
    await store.close();
    return await work(registry);
  } finally {
    await registry.close();
  }
}

describe.skipIf(isMissing('layouts and registries with skopeo', skopeo))('skopeo', () => {
  it('writes a layout that is read here, as a folder and as a tar', async () => {
    await withRegistry(async ({ host }) => {
      const from = `docker://${host}/team/app:v1`;
      for (const to of [`oci:${dir}/sk:app:v1`, `oci-archive:${dir}/sk.tar:app:v1`]) {
        await run(pathOf(skopeo), ['copy', '-q', '--src-tls-verify=false', from, to]);
      }
      await run(pathOf(skopeo), [
        'copy',
        '-q',
        '--all',
        '--src-tls-verify=false',
        `docker://${host}/team/multi:v1`,
        `oci:${dir}/sk:multi`,
      ]);
    });
    const folder = await openLayout(join(dir, 'sk'));
    const tar = await openTarLayout(join(dir, 'sk.tar'));

    const { digest } = image.manifest.descriptor;
    expect(await folder.resolve(parseReference('app:v1'))).toMatchObject({ digest });
    expect(await copyAll(folder, 'sk-copy')).toEqual([
      `copied ${digest}`,
      `copied ${index.manifest.descriptor.digest}`,
    ]);
    expect(await copyAll(tar, 'sk-tar-copy')).toEqual([`copied ${digest}`]);
    await tar.close();
  });

  it('reads a layout that was written here, and copies it out unchanged', async () => {
    const layout = await createLayout(join(dir, 'ours'));
    await putImage(layout, name, image);
    await putIndex(layout, parseReference('registry.example.com/team/multi:v1'), index);

    const inspected = await run(pathOf(skopeo), [
      'inspect',
      '--raw',
      `oci:${dir}/ours:registry.example.com/team/app:v1`,
    ]);
    await run(pathOf(skopeo), [
      'copy',
      '-q',
      '--all',
      `oci:${dir}/ours:registry.example.com/team/multi:v1`,
      `oci:${dir}/theirs:multi`,
    ]);

    expect(inspected.stdout).toBe(Buffer.from(image.manifest.bytes).toString());
    expect(await copyAll(await openLayout(join(dir, 'theirs')), 'theirs-copy')).toEqual([
      `copied ${index.manifest.descriptor.digest}`,
    ]);
  });

  it('says what is wrong with a tar that was cut off, is compressed, or is none', async () => {
    const whole = await readFile(join(dir, 'sk.tar'));
    await writeFile(join(dir, 'cut.tar'), whole.subarray(0, whole.length - 100_000));
    await run('sh', ['-c', `gzip -c ${dir}/sk.tar > ${dir}/sk.tar.gz`]);
    await writeFile(join(dir, 'text.tar'), 'not a tar at all '.repeat(100));

    await expect(openTarLayout(join(dir, 'cut.tar'))).rejects.toThrow('cut off');
    await expect(openTarLayout(join(dir, 'sk.tar.gz'))).rejects.toThrow('not an uncompressed tar');
    await expect(openTarLayout(join(dir, 'text.tar'))).rejects.toThrow('not an uncompressed tar');
  });
});

describe.skipIf(isMissing('layouts and registries with crane', crane))('crane', () => {
  it('writes a layout that is read here', async () => {
    await withRegistry(async ({ host }) => {
      const names = [`${host}/team/app:v1`, `${host}/team/multi:v1`];
      await run(pathOf(crane), ['pull', '--insecure', '--format=oci', '--annotate-ref', ...names, join(dir, 'crane')]);
      const layout = await openLayout(join(dir, 'crane'));

      expect(await layout.resolve(parseReference(names[0] ?? ''))).toMatchObject({
        digest: image.manifest.descriptor.digest,
      });
      expect(await copyAll(layout, 'crane-copy')).toEqual([
        `copied ${image.manifest.descriptor.digest}`,
        `copied ${index.manifest.descriptor.digest}`,
      ]);
    });
  });

  it('pushes a layout that was written here', async () => {
    const layout = await createLayout(join(dir, 'single'));
    await putImage(layout, name, image);
    await withRegistry(async ({ host }) => {
      const { stdout } = await run(pathOf(crane), ['push', '--insecure', join(dir, 'single'), `${host}/from/crane:v1`]);

      expect(stdout.trim()).toBe(`${host}/from/crane@${image.manifest.descriptor.digest}`);
    });
  });
});

describe.skipIf(isMissing('the served registry with skopeo and crane', skopeo, crane))(
  'a registry served from a tar',
  () => {
    const rows = [
      { title: 'for everybody', tls: false, account: undefined },
      { title: 'over TLS with basic auth', tls: true, account: { ...account, scheme: 'basic' as const } },
      { title: 'over TLS with tokens', tls: true, account: { ...account, scheme: 'token' as const } },
    ];

    it.each(rows)('$title', async ({ tls, account: served }) => {
      const layout = await createLayout(join(dir, 'served'));
      await putImage(layout, name, image);
      await putIndex(layout, parseReference('registry.example.com/team/multi:v1'), index);
      await run('tar', [
        '-C',
        join(dir, 'served'),
        '-cf',
        join(dir, 'served.tar'),
        'oci-layout',
        'index.json',
        'blobs',
      ]);
      const store = await openTarLayout(join(dir, 'served.tar'));
      const files = await serverCertificate(join(dir, 'tls'), ['127.0.0.1']);
      const pem = { certificate: await readFile(files.certificate, 'utf8'), key: await readFile(files.key, 'utf8') };
      const registry = await serveRegistry(store, {
        ...(tls ? { tls: pem } : {}),
        ...(served ? { account: served } : {}),
      });
      const at = `127.0.0.1:${registry.port}`;
      try {
        const creds = served ? ['--src-creds', `${account.username}:${account.password}`] : [];
        const out = await mkdtemp(join(dir, 'pulled-'));
        const from = `docker://${at}/team/app:v1`;
        await run(pathOf(skopeo), ['copy', '-q', '--src-tls-verify=false', ...creds, from, `oci:${out}/sk:v1`]);
        if (served) {
          await expect(
            run(pathOf(skopeo), ['copy', '-q', '--src-tls-verify=false', from, `oci:${out}/x:v1`]),
          ).rejects.toThrow();
        }
        const config = { auths: served ? { [at]: { auth: Buffer.from('alice:secret').toString('base64') } } : {} };
        await writeFile(join(out, 'config.json'), JSON.stringify(config));
        const env = { ...process.env, DOCKER_CONFIG: out };
        const many = Array.from({ length: 8 }, (_, client) =>
          run(
            pathOf(crane),
            ['pull', '--insecure', '--format=oci', `${at}/registry.example.com/team/multi:v1`, join(out, `c${client}`)],
            { env },
          ),
        );
        await Promise.all(many);
        const { stdout } = await run(pathOf(crane), ['ls', '--insecure', `${at}/team/app`], { env });

        expect(stdout.trim()).toBe('v1');
        expect(
          await openLayout(join(out, 'sk')).then((pulled) => pulled.resolve(parseReference('localhost/unnamed:v1'))),
        ).toMatchObject({
          digest: image.manifest.descriptor.digest,
        });
        for (const client of many.keys())
          expect((await stat(join(out, `c${client}`, 'index.json'))).size).toBeGreaterThan(0);
      } finally {
        await registry.close();
        await store.close();
      }
    });
  },
);
