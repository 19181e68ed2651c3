import { beforeAll, describe, expect, test } from 'vitest';
import { dateMs, debOf, fakeSite, publishApt, type FakeSite } from '../../test/support/package-repositories.ts';
import { indexPackages } from './apt/packages-index.ts';
import { resolvePackages } from './resolve.ts';
import { generateRepositoryKey, openRepositoryKey, type RepositoryKey } from './signing.ts';
import type { PackageSet, ResolvedPackage, Trust } from './types.ts';

const url = 'http://mirror.example/debian';
const unsignedTrust: Trust = { keys: [], signatures: 'never' };

async function closure(packages: readonly ResolvedPackage[], ...names: string[]): Promise<string> {
  const site = fakeSite();
  await publishApt(site, url, packages);
  const found = await ask(site, unsignedTrust, names);
  return found.packages.map(({ name, version }) => `${name} ${version}`).join(', ');
}

function ask(site: FakeSite, trust: Trust, names: readonly string[], nowMs = dateMs): Promise<PackageSet> {
  const repositories = [{ url: `${url}/`, suite: 'stable', components: ['main'], trust }];
  return resolvePackages(site.fetch, { family: 'apt', architecture: 'amd64', names, nowMs, repositories });
}

describe('what Debian packages need', () => {
  test('is followed through Depends and Pre-Depends, in circles too', async () => {
    const packages = [
      debOf('a 1', { 'Pre-Depends': 'b', Depends: 'c (>= 1)' }),
      debOf('b 1', { Depends: 'a' }),
      debOf('c 2', { Depends: 'd [amd64], e:any (>= 1:0~)' }),
      debOf('d 1', { Architecture: 'all' }),
      debOf('e 1:1'),
      debOf('unasked 1'),
    ];
    expect(await closure(packages, 'a')).toBe('a 1, b 1, c 2, d 1, e 1:1');
  });

  test('is the newest version that fits the relation, for this architecture', async () => {
    const packages = [
      debOf('a 1', { Depends: 'b (<< 3)' }),
      debOf('b 1.9'),
      debOf('b 1.10'),
      debOf('b 3'),
      debOf('b 2', { Architecture: 'arm64' }),
    ];
    expect(await closure(packages, 'a')).toBe('a 1, b 1.10');
  });

  test('is of alternatives the first that can be had, unless another is there already', async () => {
    const alternatives = debOf('a 1', { Depends: 'gone | b | c' });
    expect(await closure([alternatives, debOf('b 1'), debOf('c 1')], 'a')).toBe('a 1, b 1');
    expect(await closure([alternatives, debOf('b 1'), debOf('c 1')], 'c', 'a')).toBe('a 1, c 1');
  });

  test('is a package of the name before one that provides it, and of those the most important', async () => {
    const user = debOf('a 1', { Depends: 'mta' });
    const providers = [
      debOf('small 1', { Provides: 'mta', Priority: 'optional' }),
      debOf('usual 1', { Provides: 'other, mta (= 5)', Priority: 'standard' }),
    ];
    expect(await closure([user, ...providers], 'a')).toBe('a 1, usual 1');
    expect(await closure([user, ...providers, debOf('mta 1')], 'a')).toBe('a 1, mta 1');
    expect(await closure([debOf('a 1', { Depends: 'mta (>= 4)' }), ...providers], 'a')).toBe('a 1, usual 1');
    expect(await closure(providers, 'mta')).toBe('usual 1');
  });

  test('avoids what conflicts with a package that is there', async () => {
    const packages = [
      debOf('a 1', { Depends: 'b, c | d' }),
      debOf('b 1', { Breaks: 'c (<< 2)' }),
      debOf('c 1'),
      debOf('d 1'),
    ];
    expect(await closure(packages, 'a')).toBe('a 1, b 1, d 1');
  });

  test('and cannot be had is told whole, with who asked', async () => {
    const packages = [debOf('a 1', { Depends: 'b (>= 2) | x, y' }), debOf('b 1')];
    await expect(closure(packages, 'a', 'z')).rejects.toMatchObject({
      code: 'PACKAGES_UNRESOLVED',
      details: ['z, requested', 'b (>= 2) | x, needed by a', 'y, needed by a'],
    });
  });

  test('comes with where it is, its digest, its reason and its own stanza', async () => {
    const site = fakeSite();
    const b = debOf('b 1');
    await publishApt(site, url, [debOf('a 1', { Depends: 'b' }), b]);
    const { packages } = await ask(site, unsignedTrust, ['a']);
    expect(packages.map(({ reason }) => reason)).toEqual(['requested', 'a: b']);
    expect(packages[1]).toMatchObject({
      url: `${url}/pool/b_1_amd64.deb`,
      filename: 'b_1_amd64.deb',
      sha256: b.sha256,
      sizeBytes: 13,
      architecture: 'amd64',
      entry: b.entry,
    });
  });
});

describe('an apt repository', () => {
  let key: RepositoryKey;
  let stranger: RepositoryKey;
  const trust = (...keys: readonly RepositoryKey[]): Trust => ({
    keys: keys.map(({ publicKey }) => publicKey),
    signatures: 'required',
  });

  beforeAll(async () => {
    [key, stranger] = (await Promise.all(
      ['test', 'stranger'].map(async (name) => {
        const { privateKey } = await generateRepositoryKey(name, dateMs);
        return openRepositoryKey(privateKey, dateMs);
      }),
    )) as [RepositoryKey, RepositoryKey];
  });

  async function published(): Promise<FakeSite> {
    const site = fakeSite();
    await publishApt(site, url, [debOf('a 1'), debOf('b 1')], key);
    return site;
  }

  function change(site: FakeSite, path: string, edit: (text: string) => string): void {
    const name = `${url}/dists/stable/${path}`;
    const content = site.files.get(name);
    if (content === undefined) throw new Error(`no ${name}`);
    site.files.set(name, Buffer.from(edit(content.toString())));
  }

  test('is believed when one of the keys signed it, in either form', async () => {
    const site = await published();
    expect((await ask(site, trust(stranger, key), ['a'])).packages).toHaveLength(1);
    site.files.delete(`${url}/dists/stable/InRelease`);
    expect(await ask(site, trust(key), ['a'])).toMatchObject({ packages: [{ name: 'a' }], warnings: [] });
  });

  test('is read packed where it can be', async () => {
    const site = await published();
    await ask(site, trust(key), ['a']);
    expect(site.asked).toEqual(
      ['InRelease', 'main/binary-amd64/Packages.gz'].map((path) => `${url}/dists/stable/${path}`),
    );
    site.files.delete(`${url}/dists/stable/main/binary-amd64/Packages.gz`);
    expect((await ask(site, trust(key), ['a'])).packages).toHaveLength(1);
  });

  test.each<[string, (site: FakeSite) => void, string]>([
    ['a byte of InRelease', (site) => change(site, 'InRelease', (text) => text.replace('Label: test', 'Label: best')), 'REPOSITORY_SIGNATURE_BAD'],
    ['the signature itself', (site) => change(site, 'InRelease', (text) => text.replace(/\n\n[\w/+]{8}/, '\n\nAAAAAAAA')), 'REPOSITORY_SIGNATURE_BAD'],
    ['InRelease into a page of a portal', (site) => change(site, 'InRelease', () => '<html>Log in</html>'), 'REPOSITORY_SIGNATURE_BAD'],
    ['a byte of Packages.gz', (site) => {
      const content = site.files.get(`${url}/dists/stable/main/binary-amd64/Packages.gz`);
      if (content) content[40] = (content[40] ?? 0) ^ 1;
    }, 'REPOSITORY_CONTENT_WRONG'],
    ['the length of Packages.gz', (site) => {
      const name = `${url}/dists/stable/main/binary-amd64/Packages.gz`;
      site.files.set(name, (site.files.get(name) ?? Buffer.alloc(0)).subarray(0, 100));
    }, 'REPOSITORY_CONTENT_WRONG'],
    ['Packages away', (site) => {
      for (const ending of ['', '.gz']) site.files.delete(`${url}/dists/stable/main/binary-amd64/Packages${ending}`);
    }, 'REPOSITORY_INCOMPLETE'],
    ['everything away', (site) => site.files.clear(), 'REPOSITORY_NOT_FOUND'],
    ['both signatures away', (site) => {
      for (const name of ['InRelease', 'Release.gpg']) site.files.delete(`${url}/dists/stable/${name}`);
    }, 'REPOSITORY_UNSIGNED'],
  ])('that changes %s is refused', async (_, breaking, code) => {
    const site = await published();
    breaking(site);
    await expect(ask(site, trust(key), ['a'])).rejects.toMatchObject({ code });
  }); // prettier-ignore

  test("is refused with a stranger's key, and with none", async () => {
    const site = await published();
    await expect(ask(site, trust(stranger), ['a'])).rejects.toMatchObject({ code: 'REPOSITORY_SIGNATURE_BAD' });
    await expect(ask(site, trust(), ['a'])).rejects.toMatchObject({ code: 'REPOSITORY_SIGNATURE_BAD' });
    const noKey: Trust = { keys: ['no key'], signatures: 'required' };
    await expect(ask(site, noKey, ['a'])).rejects.toMatchObject({ code: 'PACKAGE_KEY_INVALID' });
  });

  test('of another suite, or too old, is refused although it is signed', async () => {
    const site = await published();
    const name = `${url}/dists/stable/InRelease`;
    const text = (site.files.get(`${url}/dists/stable/Release`) ?? '').toString();
    site.files.set(name, Buffer.from(await key.clearsign(text.replaceAll(': stable', ': unstable'))));
    await expect(ask(site, trust(key), ['a'])).rejects.toMatchObject({ code: 'REPOSITORY_CONTENT_WRONG' });
    const until = text.replace('SHA256:', 'Valid-Until: Sat, 03 Jan 2026 00:00:00 UTC\nSHA256:');
    site.files.set(name, Buffer.from(await key.clearsign(until)));
    expect((await ask(site, trust(key), ['a'])).packages).toHaveLength(1);
    const later = Date.UTC(2026, 0, 4);
    await expect(ask(site, trust(key), ['a'], later)).rejects.toMatchObject({ code: 'REPOSITORY_EXPIRED' });
  });

  test('is made anew with the same bytes', async () => {
    const [one, other] = [await published(), await published()];
    expect([...one.files]).toEqual([...other.files]);
  });
});

describe('an index of Debian packages', () => {
  const stanza = (name: string, more = ''): string => `Package: ${name}\nVersion: 1\n${more}Description: ${name}\n`;
  const names = (text: string, name: string): string[] =>
    indexPackages([{ text: Buffer.from(text), repositoryUrl: 'u' }])
      .named(name)
      .map((item) => item.stanza);

  test.each([
    ['alone', stanza('a')],
    ['behind another', `${stanza('b')}\n${stanza('a')}`],
    ['in front of another', `${stanza('a')}\n${stanza('b')}`],
    ['between empty lines', `\n\n${stanza('b')}\n\n\n${stanza('a')}\n\n\n${stanza('b')}\n\n`],
    ['at the end without a line break', `${stanza('b')}\n${stanza('a').trimEnd()}`],
  ])('finds one that stands %s, and nothing but it', (_, text) => {
    expect(names(text, 'a').map((found) => found.trimEnd())).toEqual([stanza('a').trimEnd()]);
    expect(names(text, 'a')[0]).not.toMatch(/\n\n/);
  });

  test('takes what is provided from the stanza that provides it, also where the name is not its first field', () => {
    const text = [stanza('a'), `Source: s\n${stanza('b', 'Provides: x (= 2), y\n')}`, stanza('c', 'Provides: y\n')];
    const index = indexPackages([
      { text: Buffer.from(text.slice(0, 2).join('\n')), repositoryUrl: 'u' },
      { text: Buffer.from(text.slice(2).join('\n')), repositoryUrl: 'v' },
    ]);

    const provides = (name: string): string[] =>
      index.providing(name).map((item) => `${item.repositoryUrl} ${item.name}`);
    expect([provides('x'), provides('y'), provides('a')]).toEqual([['u b'], ['u b', 'v c'], []]);
    expect(index.named('b')).toHaveLength(1);
  });
});
