import { beforeAll, describe, expect, test } from 'vitest';
import { zstdCompressSync } from 'node:zlib';
import { createHash } from 'node:crypto';
import { dateMs, fakeSite, publishRpm, rpmOf, type FakeSite } from '../../test/support/package-repositories.ts';
import { renderRpmRepository } from './rpm/render.ts';
import { resolvePackages } from './resolve.ts';
import { generateRepositoryKey, openRepositoryKey, type RepositoryKey } from './signing.ts';
import type { PackageSet, ResolvedPackage, Trust } from './types.ts';

const url = 'http://mirror.example/9/BaseOS/x86_64/os';
const unsignedTrust: Trust = { keys: [], signatures: 'if-present' };

async function closure(packages: readonly ResolvedPackage[], ...names: string[]): Promise<string> {
  const site = fakeSite();
  await publishRpm(site, url, packages);
  const found = await ask(site, unsignedTrust, names);
  return found.packages.map(({ name, version }) => `${name} ${version}`).join(', ');
}

function ask(site: FakeSite, trust: Trust, names: readonly string[]): Promise<PackageSet> {
  const repositories = [{ url: 'http://mirror.example/$releasever/BaseOS/$basearch/os/', trust }];
  const request = { family: 'rpm', release: '9', architecture: 'amd64', names, nowMs: dateMs, repositories } as const;
  return resolvePackages(site.fetch, request);
}

describe('what rpm packages need', () => {
  test('is followed through capabilities, libraries and files', async () => {
    const packages = [
      rpmOf('a 1-1', { requires: ['libb.so.1()(64bit)', '/usr/sbin/c', 'rpmlib(X) LE 1', 'd GE 1.9'] }),
      rpmOf('b 1-1', { provides: ['libb.so.1()(64bit)'], requires: ['a EQ 1-1'] }),
      rpmOf('c 1-1', { files: ['/usr/sbin/c'], architecture: 'noarch' }),
      rpmOf('d 1.10-1'),
      rpmOf('d 1.9-1'),
      rpmOf('d 2-1', { architecture: 'i686' }),
    ];
    expect(await closure(packages, 'a')).toBe('a 1-1, b 1-1, c 1-1, d 1.10-1');
  });

  test('is of several the one of that name, then the one that its asker suggests, then the shortest name', async () => {
    const providers = [
      rpmOf('x-long 1-1', { provides: ['x'] }),
      rpmOf('x-b 1-1', { provides: ['x'] }),
      rpmOf('x-a 1-1', { provides: ['x'] }),
    ];
    const asker = rpmOf('asker 1-1', { requires: ['x'] });
    expect(await closure([asker, ...providers], 'asker')).toBe('asker 1-1, x-a 1-1');
    expect(await closure([asker, ...providers], 'x-long', 'asker')).toBe('asker 1-1, x-long 1-1');
    const suggesting = rpmOf('asker 1-1', { requires: ['x'], suggests: ['x-long'] });
    expect(await closure([suggesting, ...providers], 'asker')).toBe('asker 1-1, x-long 1-1');
    expect(await closure([asker, ...providers, rpmOf('x 1-1')], 'asker')).toBe('asker 1-1, x 1-1');
  });

  test('avoids what conflicts with a package that is there, and packages of module streams', async () => {
    const packages = [
      rpmOf('a 1-1', { requires: ['b', 'x'] }),
      rpmOf('b 1-1', { conflicts: ['xa LT 2'] }),
      rpmOf('xa 1-1', { provides: ['x'] }),
      rpmOf('x 1-1.module_el9'),
      rpmOf('xlong 1-1', { provides: ['x'] }),
    ];
    expect(await closure(packages, 'a')).toBe('a 1-1, b 1-1, xlong 1-1');
  });

  test.each([
    ['(b or c)', 'a, b'],
    ['(gone or c)', 'a, c'],
    ['(b and c)', 'a, b, c'],
    ['(lib with lib LT 2)'.replace('LT', '<'), 'a, lib1'],
    ['(lib without lib1)', 'a, lib2'],
    // The condition may hold on a host: what it asks for then comes along.
    ['(b if c)', 'a, b'],
    ['(gone if c)', 'a'],
    ['(gone if c else b)', 'a, b'],
    ['(b unless c)', 'a, b'],
  ])('is understood as the expression %s', async (requirement, expected) => {
    const packages = [
      rpmOf('a 1-1', { requires: [requirement] }),
      rpmOf('b 1-1'),
      rpmOf('c 1-1'),
      rpmOf('lib1 1-1', { provides: ['lib EQ 1'] }),
      rpmOf('lib2 1-1', { provides: ['lib EQ 2'] }),
    ];
    expect((await closure(packages, 'a')).replaceAll(' 1-1', '')).toBe(expected);
  });

  test('and cannot be had is told whole, with who asked', async () => {
    const packages = [rpmOf('a 1-1', { requires: ['b GE 2', '(x or y)', '/opt/z'] }), rpmOf('b 1-1')];
    await expect(closure(packages, 'a', 'q')).rejects.toMatchObject({
      code: 'PACKAGES_UNRESOLVED',
      details: ['q, requested', 'b >= 2, needed by a', '(x or y), needed by a', '/opt/z, needed by a'],
    });
  });

  test('is looked for in filelists only for files that primary does not name, and the new repository names them', async () => {
    const owner: ResolvedPackage = { ...rpmOf('owner 1-1'), files: ['/usr/libexec/tool'] };
    const site = fakeSite();
    const asker = rpmOf('a 1-1', { requires: ['/usr/libexec/tool'] });
    const files = await renderRpmRepository({ packages: [asker, owner], dateMs });
    await publishRpm(site, url, [asker, rpmOf('owner 1-1')]);
    // primary as it is without the file, filelists as it is with it.
    const listed = files.find(({ path }) => path.includes('filelists'));
    const repomd = site.files.get(`${url}/repodata/repomd.xml`)?.toString() ?? '';
    const named = /repodata\/([0-9a-f]{64})-filelists/.exec(repomd)?.[1] ?? '';
    const replaced = listed?.path.slice('repodata/'.length).slice(0, 64) ?? '';
    const edited = repomd
      .replaceAll(named, replaced)
      .replace(/(filelists\.xml\.gz"\/>[^]*?<size>)\d+/, `$1${listed?.content.length ?? 0}`);
    site.files.set(`${url}/repodata/repomd.xml`, Buffer.from(edited));
    if (listed) site.files.set(`${url}/${listed.path}`, listed.content);

    const found = await ask(site, unsignedTrust, ['a']);

    expect(found.packages.map(({ name, files: known }) => [name, known])).toEqual([
      ['a', undefined],
      ['owner', ['/usr/libexec/tool']],
    ]);
    expect(site.asked.filter((asked) => asked.includes('filelists'))).toHaveLength(1);
    const again = fakeSite();
    await publishRpm(again, url, found.packages);
    await ask(again, unsignedTrust, ['a']);
    expect(again.asked.filter((asked) => asked.includes('filelists'))).toHaveLength(0);
  });

  test('comes with where it is, its digest, its reason and its own entry', async () => {
    const site = fakeSite();
    const b = rpmOf('b 1-1');
    await publishRpm(site, url, [rpmOf('a 1-1', { requires: ['b'] }), b]);
    const { packages, warnings } = await ask(site, unsignedTrust, ['a']);
    expect(packages[1]).toMatchObject({
      reason: 'a: b',
      url: `${url}/Packages/b-1-1.x86_64.rpm`,
      filename: 'b-1-1.x86_64.rpm',
      sha256: b.sha256,
      sizeBytes: 16,
      entry: b.entry.replace('a/b/', 'Packages/'),
    });
    expect(warnings).toEqual([expect.stringContaining('carries no signature')]);
  });
});

describe('an rpm repository', () => {
  let key: RepositoryKey;
  let stranger: RepositoryKey;
  const trust = (...keys: readonly RepositoryKey[]): Trust => ({
    keys: keys.map(({ publicKey }) => publicKey),
    signatures: 'required',
  });

  beforeAll(async () => {
    const open = async (name: string): Promise<RepositoryKey> =>
      openRepositoryKey((await generateRepositoryKey(name, dateMs)).privateKey, dateMs);
    [key, stranger] = await Promise.all([open('test'), open('stranger')]);
  });

  async function published(): Promise<FakeSite> {
    const site = fakeSite();
    await publishRpm(site, url, [rpmOf('a 1-1'), rpmOf('b 1-1')], key);
    return site;
  }

  function primaryOf(site: FakeSite): string {
    return [...site.files.keys()].find((name) => name.includes('-primary')) ?? '';
  }

  test('is believed when one of the keys signed it', async () => {
    expect(await ask(await published(), trust(stranger, key), ['a'])).toMatchObject({
      packages: [{ name: 'a' }],
      warnings: [],
    });
  });

  test.each<[string, (site: FakeSite) => void, string]>([
    ['a byte of repomd.xml', (site) => {
      const name = `${url}/repodata/repomd.xml`;
      site.files.set(name, Buffer.from(`${site.files.get(name)?.toString() ?? ''} `));
    }, 'REPOSITORY_SIGNATURE_BAD'],
    ['a byte of primary', (site) => {
      const content = site.files.get(primaryOf(site));
      if (content) content[50] = (content[50] ?? 0) ^ 1;
    }, 'REPOSITORY_CONTENT_WRONG'],
    ['primary into a longer one', (site) => {
      const name = primaryOf(site);
      site.files.set(name, Buffer.concat([site.files.get(name) ?? Buffer.alloc(0), Buffer.alloc(5)]));
    }, 'REPOSITORY_CONTENT_WRONG'],
    ['primary away', (site) => site.files.delete(primaryOf(site)), 'REPOSITORY_INCOMPLETE'],
    ['the signature away', (site) => site.files.delete(`${url}/repodata/repomd.xml.asc`), 'REPOSITORY_UNSIGNED'],
    ['everything away', (site) => site.files.clear(), 'REPOSITORY_NOT_FOUND'],
  ])('that changes %s is refused', async (_, breaking, code) => {
    const site = await published();
    breaking(site);
    await expect(ask(site, trust(key), ['a'])).rejects.toMatchObject({ code });
  }); // prettier-ignore

  test("is refused with a stranger's key, also where a signature is not required", async () => {
    const site = await published();
    await expect(ask(site, trust(stranger), ['a'])).rejects.toMatchObject({ code: 'REPOSITORY_SIGNATURE_BAD' });
    const lax: Trust = { ...trust(stranger), signatures: 'if-present' };
    await expect(ask(site, lax, ['a'])).rejects.toMatchObject({ code: 'REPOSITORY_SIGNATURE_BAD' });
  });

  test('that is broken inside, with digests that fit, is refused too', async () => {
    for (const text of ['<metadata><package><name>a</package></metadata>', 'not packed at all']) {
      const site = await published();
      site.files.delete(`${url}/repodata/repomd.xml.asc`);
      const content = text.startsWith('<') ? zstdCompressSync(text) : Buffer.from(text);
      const digest = createHash('sha256').update(content).digest('hex');
      const repomd = `<repomd><data type="primary"><checksum type="sha256">${digest}</checksum><location href="repodata/p.xml.zst"/></data></repomd>`;
      site.files.set(`${url}/repodata/repomd.xml`, Buffer.from(repomd));
      site.files.set(`${url}/repodata/p.xml.zst`, content);
      await expect(ask(site, unsignedTrust, ['a'])).rejects.toMatchObject({ code: 'REPOSITORY_CONTENT_WRONG' });
    }
  });

  test('is read when it is packed with zstd', async () => {
    const site = await published();
    site.files.delete(`${url}/repodata/repomd.xml.asc`);
    const content = zstdCompressSync(`<metadata>${rpmOf('z 1-1').entry}</metadata>`);
    const digest = createHash('sha256').update(content).digest('hex');
    const repomd = `<repomd><data type="primary"><checksum type="sha256">${digest}</checksum><location href="repodata/p.xml.zst"/><size>${content.length}</size></data></repomd>`;
    site.files.set(`${url}/repodata/repomd.xml`, Buffer.from(repomd));
    site.files.set(`${url}/repodata/p.xml.zst`, content);
    expect((await ask(site, unsignedTrust, ['z'])).packages.map(({ url: at }) => at)).toEqual([
      `${url}/a/b/z-1-1.x86_64.rpm`,
    ]);
  });

  test('is made anew with the same bytes', async () => {
    expect([...(await published()).files]).toEqual([...(await published()).files]);
  });
});
