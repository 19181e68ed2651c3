import { createHash } from 'node:crypto';
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openBundle, type Bundle } from '../../src/bundle/bundle.ts';
import { extractBundle } from '../../src/bundle/extract.ts';
import type { BundleItem } from '../../src/bundle/manifest.ts';
import { repositoriesIn } from '../../src/bundle/package-places.ts';
import { pushBundle } from '../../src/bundle/push.ts';
import { parseTarget } from '../../src/bundle/registry-mapping.ts';
import { mergeBundles, recutBundle } from '../../src/bundle/rewrite.ts';
import { filesHandler } from '../../src/bundle/serve-files.ts';
import { verifyBundle } from '../../src/bundle/verify.ts';
import { createRegistryStore } from '../../src/oci/registry.ts';
import { serveRegistry, type ServedRegistry } from '../../src/oci/serve.ts';
import { resolvePackages } from '../../src/packages/resolve.ts';
import type { Fetch } from '../../src/packages/types.ts';
import type { ClusterConfig, OsRepository } from '../../src/spec/schema.ts';
import { debianSet, openVendor, rockyPackages, withDistributions, type Vendor } from '../support/bundle/packages.ts';
import { bothPlatforms, openSite, type Site } from '../support/bundle/site.ts';
import { TestRegistry } from '../support/oci/registry.ts';
import { contentOf, debOf } from '../support/package-repositories.ts';

let dir: string;
let site: Site;
let vendor: Vendor;
let bundle: Bundle | undefined;
let served: ServedRegistry | undefined;
let target: TestRegistry | undefined;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bundle-packages-'));
  site = await openSite(dir);
  vendor = await openVendor(dir, site);
  await vendor.publishApt('debian', 'bookworm', [debianSet('amd64'), debianSet('arm64')]);
  await vendor.publishApt('debian', 'trixie', [debianSet('amd64', 'deb13')]);
  await vendor.publishRpm('rocky/9/x86_64', rockyPackages());
});

afterEach(async () => {
  await served?.close();
  await bundle?.close();
  await target?.close();
  served = bundle = target = undefined;
  await site.close();
  await rm(dir, { recursive: true, force: true });
});

/** The vendor's repository, by a host that only a mirror of the cluster file leads to. */
function debian(suite = 'bookworm', change: Partial<OsRepository> = {}): OsRepository {
  return {
    url: 'http://packages.example/debian',
    suites: [suite],
    components: ['main'],
    keyFile: vendor.keyFile,
    allowUnsigned: false,
    ...change,
  };
}

function rocky(): OsRepository {
  return { ...debian(), url: 'http://packages.example/rocky/$releasever/$basearch', suites: [], components: [] };
}

function configOf(...distributions: Parameters<typeof withDistributions>[1][]): ClusterConfig {
  const config = withDistributions(site, ...distributions);
  const mirrors = { ...config.spec.artifacts.mirrors, 'packages.example': `http://127.0.0.1:${site.files.port}` };
  return { ...config, spec: { ...config.spec, artifacts: { ...config.spec.artifacts, mirrors } } };
}

const debian12 = (change: Partial<OsRepository> = {}): Parameters<typeof withDistributions>[1] => ({
  id: 'debian',
  version: '12',
  repositories: [debian('bookworm', change)],
});

async function sha256Of(path: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(path))
    .digest('hex');
}

function packagesIn(items: readonly BundleItem[]): string[] {
  return items.filter(({ kind }) => kind === 'package').map(({ name, version }) => `${name} ${version ?? ''}`);
}

const fetchUrl: Fetch = async (url) => {
  const response = await fetch(url);
  return response.status === 404 ? undefined : (response.body ?? undefined);
};

async function serve(path: string): Promise<string> {
  bundle = await openBundle(path);
  served = await serveRegistry(bundle.store, { others: filesHandler(bundle) });
  return served.url;
}

describe('a bundle with packages of distributions', () => {
  it('holds each package once with who asked for it, and a signed repository for each release and architecture', async () => {
    const path = join(dir, 'site.tar');
    const config = configOf(
      debian12(),
      { id: 'debian', version: '13', repositories: [debian('trixie')] },
      { id: 'rocky', version: '9.6', repositories: [rocky()] },
    );
    const repositoryKey = vendor.ownKey;
    const first = await site.create({ path, config, repositoryKey });
    const again = await site.create({ path: join(dir, 'again.tar'), config, repositoryKey });

    expect(await sha256Of(again.path)).toBe(await sha256Of(first.path));
    const { items } = first.manifest;
    expect(repositoriesIn(items)).toEqual(['debian-12-amd64', 'debian-13-amd64', 'rocky-9.6-amd64']);
    // Nine of each Debian of its own, one that both share; ten of Rocky Linux.
    expect(packagesIn(items)).toHaveLength(29);
    expect(items.find(({ name }) => name === 'jq-data')).toMatchObject({
      version: '1.6',
      architecture: 'all',
      platforms: ['linux/amd64'],
      pin: 'signed',
      origin: 'http://packages.example/debian/pool/jq-data_1.6_all.deb',
      why: ['debian 12: needed by jq: jq-data', 'debian 13: needed by jq: jq-data'],
      paths: ['packages/debian-12-amd64/pool/jq-data_1.6_all.deb', 'packages/debian-13-amd64/pool/jq-data_1.6_all.deb'],
    });
    const why = items.filter(({ name }) => name === 'jq' || name === 'tar').flatMap((item) => item.why);
    expect(why).toContain('debian 12: asked for by spec.osPackages');
    expect(why).toContain('rocky 9.6: asked for by the tool tar, which hosts need');
    const opened = await openBundle(path);
    expect((await verifyBundle(opened)).isWhole).toBe(true);
    await opened.close();
    const sbom = await extracted(path, ['sbom.cdx.json']);
    const text = await readFile(sbom[0] ?? '', 'utf8');
    expect(text).toContain('"pkg:deb/debian/jq@1%3A1.6%2Bdeb12?arch=amd64&distro=debian-12"');
    expect(text).toContain('"pkg:rpm/rocky/jq@1.6-1?arch=x86_64&distro=rocky-9.6"');
  });

  async function extracted(path: string, names: readonly string[]): Promise<readonly string[]> {
    const opened = await openBundle(path);
    const laid = await extractBundle(opened, join(dir, 'out'), { names });
    await opened.close();
    return laid.map((one) => one.path);
  }

  it('serves each repository with ranges, so that its packages resolve from it alone', async () => {
    const path = join(dir, 'site.tar');
    const config = configOf(debian12(), { id: 'rocky', version: '9.6', repositories: [rocky()] });
    await site.create({ path, config, repositoryKey: vendor.ownKey });
    await site.files.close();
    const url = await serve(path);
    const keys = { apt: `${url}/packages/debian-12-amd64`, rpm: `${url}/packages/rocky-9.6-amd64` };
    const keyOf = async (base: string): Promise<string> => (await fetch(`${base}/key.asc`)).text();
    const common = { architecture: 'amd64', names: ['jq'], nowMs: Date.now() } as const;
    const trustOf = async (base: string): Promise<{ keys: string[]; signatures: 'required' }> => ({
      keys: [await keyOf(base)],
      signatures: 'required',
    });

    const apt = await resolvePackages(fetchUrl, {
      ...common,
      family: 'apt',
      repositories: [{ url: keys.apt, suite: 'bundle', components: ['main'], trust: await trustOf(keys.apt) }],
    });
    const rpm = await resolvePackages(fetchUrl, {
      ...common,
      family: 'rpm',
      release: '9',
      repositories: [{ url: keys.rpm, trust: await trustOf(keys.rpm) }],
    });

    expect(apt.packages.map(({ name }) => name)).toEqual(['jq', 'jq-data']);
    expect(rpm.packages.map(({ name }) => name)).toEqual(['jq', 'oniguruma']);
    expect((await keyOf(keys.apt)).match(/BEGIN PGP/g)).toHaveLength(1);
    expect((await keyOf(keys.rpm)).match(/BEGIN PGP/g)).toHaveLength(2);
    for (const item of [...apt.packages, ...rpm.packages]) {
      const whole = await fetch(item.url);
      expect(Buffer.from(await whole.arrayBuffer()).equals(contentOf(item)), item.url).toBe(true);
      const part = await fetch(item.url, { headers: { range: 'bytes=2-4' } });
      expect([part.status, await part.text()]).toEqual([206, contentOf(item).subarray(2, 5).toString()]);
    }
    expect((await fetch(`${keys.apt}/../../etc/passwd`)).status).toBe(404);
  });

  it('lays a repository out as a folder by its name', async () => {
    const path = join(dir, 'site.tar');
    await site.create({ path, config: configOf(debian12(), { id: 'rocky', version: '9.6', repositories: [rocky()] }) });

    const laid = await extracted(path, ['rocky-9.6-amd64']);

    const inside = laid.map((place) => place.slice(join(dir, 'out/packages/rocky-9.6-amd64/').length));
    expect(inside.filter((place) => place.startsWith('Packages/'))).toHaveLength(10);
    expect(inside).toContain('repodata/repomd.xml');
    expect(laid.filter((place) => !place.includes('/packages/rocky-9.6-amd64/'))).toEqual([]);
  });

  it('is merged with that of another architecture and release without loss, cut and joined', async () => {
    const [a, b, both, parts] = ['a.tar', 'b.tar', 'both.tar', 'cut.tar'].map((name) => join(dir, name)) as [
      string,
      string,
      string,
      string,
    ];
    const of12 = configOf(debian12());
    await site.create({ path: a, config: of12, platforms: ['linux/amd64'] });
    await site.create({ path: b, config: of12, platforms: ['linux/arm64'] });
    const whole = await site.create({ path: join(dir, 'whole.tar'), config: of12, platforms: bothPlatforms });

    const merged = await mergeBundles([a, b], { path: both });
    await recutBundle(both, { path: parts, partBytes: 200_000 });
    await recutBundle(`${parts}.001`, { path: join(dir, 'joined.tar') });

    expect(await sha256Of(both)).toBe(await sha256Of(whole.path));
    expect(await sha256Of(join(dir, 'joined.tar'))).toBe(await sha256Of(whole.path));
    expect(merged.manifest.items.find(({ name }) => name === 'jq-data')?.platforms).toEqual([
      'linux/amd64',
      'linux/arm64',
    ]);
    const other = join(dir, 'other.tar');
    await site.create({
      path: other,
      config: configOf({ id: 'debian', version: '13', repositories: [debian('trixie')] }),
    });
    const three = await mergeBundles([both, other], { path: join(dir, 'three.tar') });
    expect(repositoriesIn(three.manifest.items)).toEqual(['debian-12-amd64', 'debian-12-arm64', 'debian-13-amd64']);
  });

  it('is not merged with another one of the same release that has other packages', async () => {
    const [a, b] = [join(dir, 'a.tar'), join(dir, 'b.tar')] as const;
    await site.create({ path: a, config: configOf(debian12()) });
    await site.create({ path: b, config: configOf({ ...debian12(), packages: [] }) });

    await expect(mergeBundles([a, b], { path: join(dir, 'both.tar') })).rejects.toThrow(
      /debian-12-amd64\/dists\/bundle\/Release \(linux\/amd64\) is sha256:.* in one bundle and .* in the other/,
    );
  });

  it('is made from the repositories of the vendor where none is named, by their mirrors', async () => {
    await vendor.publishApt('debian', 'bookworm-updates', [{ ...debianSet('amd64'), packages: [debOf('jq 2:1.7')] }]);
    await vendor.publishApt('debian-security', 'bookworm-security', [{ ...debianSet('amd64'), packages: [] }]);
    const config = configOf({ id: 'debian', version: '12', repositories: [], keyFile: vendor.keyFile });
    const mirrors = { ...config.spec.artifacts.mirrors, 'deb.debian.org': `http://127.0.0.1:${site.files.port}` };

    const { manifest } = await site.create({
      path: join(dir, 'site.tar'),
      config: { ...config, spec: { ...config.spec, artifacts: { ...config.spec.artifacts, mirrors } } },
    });

    expect(manifest.items.find(({ name }) => name === 'jq')).toMatchObject({
      version: '2:1.7',
      origin: 'http://deb.debian.org/debian/pool/jq_2.1.7_amd64.deb',
      pin: 'signed',
    });
  });

  it('is made of an older one and a delta byte for byte', async () => {
    const [old, delta, whole] = ['old.tar', 'delta.tar', 'whole.tar'].map((name) => join(dir, name)) as [
      string,
      string,
      string,
    ];
    await site.create({ path: old, config: configOf(debian12()) });
    const config = configOf(debian12(), { id: 'rocky', version: '9.6', repositories: [rocky()] });
    await site.create({ path: whole, config });
    const made = await site.create({ path: delta, config, deltaFrom: old });
    await mergeBundles([delta, old], { path: join(dir, 'merged.tar') });

    expect(made.manifest.blobs.length).toBeLessThan(20);
    expect(await sha256Of(join(dir, 'merged.tar'))).toBe(await sha256Of(whole));
  });

  it('is pushed with a name for each package', async () => {
    const path = join(dir, 'site.tar');
    await site.create({ path, config: configOf(debian12()), platforms: bothPlatforms });
    bundle = await openBundle(path);
    target = await new TestRegistry({ takesSparse: true }).start();
    const store = createRegistryStore();

    const { items } = await pushBundle(bundle, store, parseTarget(target.host, true));

    await store.close();
    expect(new Set(items.map(({ outcome }) => outcome.status))).toEqual(new Set(['copied']));
    const names = items.filter(({ item }) => item.name === 'jq').map(({ to }) => `${to.repository}:${to.tag ?? ''}`);
    expect(names).toHaveLength(2);
    expect(names[0]).toMatch(/^installer\/package\/jq:1-1\.6-deb12-[0-9a-f]{12}$/);
  });

  it.each([
    ['a package', 'jq'],
    ['an index', 'debian-12-amd64/dists/bundle/main/binary-amd64/Packages.gz'],
  ])('shows a flipped byte in %s', async (_, name) => {
    const path = join(dir, 'site.tar');
    const { manifest } = await site.create({ path, config: configOf(debian12()) });
    const opened = await openBundle(path);
    const item = manifest.items.find((one) => one.name === name);
    const at = (item && opened.plan.blobs.get(item.digest)?.offset) ?? 0;
    const file = await open(path, 'r+');
    const { buffer } = await file.read(Buffer.alloc(1), 0, 1, at);
    await file.write(Buffer.from([(buffer[0] ?? 0) ^ 1]), 0, 1, at);
    await file.close();

    const { blobs } = await verifyBundle(opened);

    await opened.close();
    expect(blobs.filter(({ status }) => status !== 'ok').map(({ status, digest }) => [status, digest])).toEqual([
      ['wrong-digest', item?.digest],
    ]);
  });
});

describe('a bundle is not made', () => {
  it('where a package is in no repository: all of them, with where they are named', async () => {
    const set = debianSet('amd64');
    const packages = set.packages.filter(({ name }) => name !== 'procps');
    await vendor.publishApt('lacking', 'bookworm', [{ ...set, packages }]);
    const config = configOf(debian12({ url: 'http://packages.example/lacking' }));
    const asking = { ...config.spec.hostSettings, packages: ['nosuch'] };

    const made = site.create({
      path: join(dir, 'x.tar'),
      config: { ...config, spec: { ...config.spec, hostSettings: asking } },
    });

    await expect(made).rejects.toMatchObject({
      errors: [
        {
          code: 'PACKAGES_UNRESOLVED',
          details: [
            'procps, asked for by the tool sysctl, which hosts need',
            'nosuch, asked for by spec.hostSettings.packages',
          ],
        },
      ],
    });
    expect(site.files.asked.filter((line) => line.includes('/pool/'))).toEqual([]);
  });

  it.each([
    ['whose index another key has signed', 'REPOSITORY_SIGNATURE_BAD', {}],
    ['whose key is not there', 'FILE_UNREADABLE', { keyFile: '/nowhere/key.asc' }],
    ['of the other family', 'BUNDLE_PACKAGES_FAMILY', { suites: [], components: [] }],
  ])('from a repository %s', async (what, code, change) => {
    if (what.includes('another key')) {
      const other = await openVendor(dir, site, 'somebody else');
      await other.publishApt('debian', 'bookworm', [debianSet('amd64')]);
      // The key file is the same path: the first key goes back into it.
      await writeFile(vendor.keyFile, vendor.key.publicKey);
    }

    const made = site.create({ path: join(dir, 'x.tar'), config: configOf(debian12(change)) });

    await expect(made).rejects.toMatchObject({ errors: [{ code }] });
  });

  it('with a package whose bytes are not those of the index', async () => {
    const [path = ''] = [...site.files.contents.keys()].filter((name) => name.includes('/pool/jq_'));
    site.files.contents.set(path, Buffer.from(contentOf(debOf('jq 1:1.6+deb12')).map((byte) => byte ^ 1)));

    const made = site.create({ path: join(dir, 'x.tar'), config: configOf(debian12()) });

    await expect(made).rejects.toMatchObject({ code: 'OCI_WRONG_DIGEST' });
  });
});

it('marks packages of an index that nobody signed', async () => {
  for (const name of ['InRelease', 'Release.gpg']) site.files.contents.delete(`/debian/dists/bookworm/${name}`);
  const notes: string[] = [];
  const { manifest } = await site.create({
    path: join(dir, 'site.tar'),
    config: configOf(debian12({ allowUnsigned: true })),
    onNote: (message) => notes.push(message),
  });

  expect(manifest.items.find(({ name }) => name === 'jq')?.pin).toBe('published');
  expect(notes).toContain('http://packages.example/debian/dists/bookworm/Release carries no signature');
});

it('goes on where the connection breaks within an index', async () => {
  const packed = '/debian/dists/bookworm/main/binary-amd64/Packages.gz';
  const bytes = site.files.contents.get(packed) ?? Buffer.alloc(0);
  let isCut = false;
  site.files.fault = (path, response, request) => {
    if (path !== packed || request.method !== 'GET' || isCut) return false;
    isCut = true;
    response.writeHead(200, { 'content-length': bytes.length });
    response.write(bytes.subarray(0, 100), () => response.destroy());
    return true;
  };

  const { manifest } = await site.create({ path: join(dir, 'site.tar'), config: configOf(debian12()) });

  expect(isCut).toBe(true);
  expect(packagesIn(manifest.items)).toHaveLength(10);
});
