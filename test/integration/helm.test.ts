import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openBundle, type Bundle } from '../../src/bundle/bundle.ts';
import { filesHandler } from '../../src/bundle/serve-files.ts';
import { parseReference } from '../../src/oci/reference.ts';
import { createRegistryStore } from '../../src/oci/registry.ts';
import { serveRegistry, type ServedRegistry } from '../../src/oci/serve.ts';
import { serverCertificate } from '../lab/upstream/certificates.ts';
import { publishChart, withExtras } from '../support/bundle/charts.ts';
import { openSite, type Site } from '../support/bundle/site.ts';
import { makeImage, putImage, randomBlob } from '../support/oci/images.ts';
import { findHelm, isMissing, pathOf } from '../support/oci/tools.ts';

const helm = await findHelm();
const version = '1.2.3+a';

/** Charts that helm packed and pushed, out of a bundle, taken by helm. */
describe.skipIf(isMissing('charts with helm', helm))('charts of a bundle, taken by helm', () => {
  let dir: string;
  let site: Site;
  let bundle: Bundle;
  let registryPrints: string;
  const packed = new Map<string, Buffer>();

  async function run(...args: readonly string[]): Promise<string> {
    const home = { HOME: dir, HELM_CACHE_HOME: `${dir}/c`, HELM_CONFIG_HOME: `${dir}/f`, HELM_DATA_HOME: `${dir}/d` };
    const env = { PATH: process.env['PATH'], ...home };
    const { stdout, stderr } = await promisify(execFile)(pathOf(helm), args, { env, cwd: dir });
    return `${stdout}${stderr}`;
  }

  async function pack(name: string): Promise<string> {
    const folder = join(dir, name);
    await mkdir(join(folder, 'templates'), { recursive: true });
    await writeFile(
      join(folder, 'Chart.yaml'),
      `apiVersion: v2\nname: ${name}\nversion: ${version}\nappVersion: "7"\n`,
    );
    await writeFile(join(folder, 'values.yaml'), 'image: ghcr.io/shop/web:7\n');
    const template = 'apiVersion: v1\nkind: Pod\nspec: { containers: [{ image: "{{ .Values.image }}" }] }\n';
    await writeFile(join(folder, 'templates/pod.yaml'), template);
    await run('package', folder);
    const file = join(dir, `${name}-${version}.tgz`);
    packed.set(name, await readFile(file));
    return file;
  }

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'bundle-helm-'));
    site = await openSite(dir);
    const store = createRegistryStore();
    const image = makeImage([randomBlob(2000)]);
    await putImage(store, parseReference(`${site.registry.host}/shop/web:7`), image);
    await store.close();
    const archive = await readFile(await pack('indexed'));
    publishChart(site, 'indexed', version, archive, sha256(archive));
    registryPrints = await run('push', await pack('pushed'), `oci://${site.registry.host}/charts`, '--plain-http');
    const charts = [
      { name: 'indexed', version, repository: 'https://charts.example.com/stable', images: [] },
      { name: 'pushed', version, repository: 'oci://ghcr.io/charts', images: [] },
    ];
    const path = join(dir, 'site.tar');
    await site.create({ path, config: withExtras(site, { charts }) });
    bundle = await openBundle(path);
  });

  afterAll(async () => {
    await bundle.close();
    await site.close();
    await rm(dir, { recursive: true, force: true });
  });

  async function withServed(
    options: Parameters<typeof serveRegistry>[1],
    work: (served: ServedRegistry) => Promise<void>,
  ): Promise<void> {
    const served = await serveRegistry(bundle.store, { ...options, others: filesHandler(bundle) });
    try {
      await work(served);
    } finally {
      await served.close();
    }
  }

  async function pulled(name: string, ...from: readonly string[]): Promise<Buffer> {
    const out = await mkdtemp(join(dir, 'pulled-'));
    await run('pull', ...from, '--version', version, '-d', out);
    return readFile(join(out, `${name}-${version}.tgz`));
  }

  it('are in its chart repository, byte for byte', async () => {
    await withServed({}, async ({ url }) => {
      await run('repo', 'add', 'site', `${url}/charts`);

      expect(await run('search', 'repo', 'site')).toMatch(/^site\/indexed\s+1\.2\.3\+a/m);
      expect((await pulled('indexed', 'site/indexed')).equals(packed.get('indexed') ?? Buffer.alloc(0))).toBe(true);
      expect(await run('show', 'chart', 'site/indexed', '--version', version)).toContain('appVersion: "7"');
      expect(await run('template', 'site/indexed')).toContain('image: "ghcr.io/shop/web:7"');
      await run('repo', 'remove', 'site');
    });
  });

  it.each(['charts/pushed', 'ghcr.io/charts/pushed'])('are pulled from its registry as %s', async (repository) => {
    await withServed({}, async ({ port }) => {
      const from = `oci://127.0.0.1:${port}/${repository}`;

      expect((await pulled('pushed', from, '--plain-http')).equals(packed.get('pushed') ?? Buffer.alloc(0))).toBe(true);
      const shown = await run('show', 'chart', from, '--version', version, '--plain-http');

      expect(shown).toContain('name: pushed');
      // What the first registry said when the chart was pushed to it.
      const digest = /Digest: (sha256:\w+)/.exec(registryPrints)?.[1];
      expect(/Digest: (sha256:\w+)/.exec(shown)?.[1]).toBe(digest);
      expect(bundle.manifest.items.find(({ name }) => name === 'ghcr.io/charts/pushed:1.2.3_a')?.digest).toBe(digest);
    });
  });

  it('are given over TLS to who has the account', async () => {
    const files = await serverCertificate(join(dir, 'tls'), ['127.0.0.1']);
    const tls = { certificate: await readFile(files.certificate, 'utf8'), key: await readFile(files.key, 'utf8') };
    const account = { username: 'alice', password: 'secret', scheme: 'token' } as const;
    await withServed({ tls, account }, async ({ port, url }) => {
      const [from, ca] = [`oci://127.0.0.1:${port}/charts/pushed`, ['--ca-file', files.ca]];
      const login = ['-u', account.username, '-p', account.password];
      await expect(pulled('pushed', from, ...ca)).rejects.toThrow(/unauthorized|401/i);

      await run('registry', 'login', `127.0.0.1:${port}`, ...login, ...ca);

      expect((await pulled('pushed', from, ...ca)).equals(packed.get('pushed') ?? Buffer.alloc(0))).toBe(true);
      const named = ['--repo', `${url}/charts`, '--username', account.username, '--password', account.password, ...ca];
      const indexed = await pulled('indexed', 'indexed', ...named);
      expect(indexed.equals(packed.get('indexed') ?? Buffer.alloc(0))).toBe(true);
    });
  });
});

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
