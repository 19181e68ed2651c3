import { createReadStream, existsSync, readdirSync, readFileSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { aptPackagePath, renderAptRepository } from '../../src/packages/apt/render.ts';
import { resolvePackages } from '../../src/packages/resolve.ts';
import { generateRepositoryKey, openRepositoryKey, type RepositoryKey } from '../../src/packages/signing.ts';
import type { Fetch, PackageSet, Trust } from '../../src/packages/types.ts';
import { inPieces } from '../support/package-repositories.ts';

const missing = ['apt-get', 'dpkg-deb', 'apt-ftparchive', 'gpg', 'xz'].filter(
  (tool) => !existsSync(`/usr/bin/${tool}`),
);
const title = missing.length === 0 ? 'a real apt' : `a real apt (skipped: no ${missing.join(', ')})`;

/** A little ahead of the keys and signatures that the tests make. */
const nowMs = Date.now() + 60_000;
const fetchFile: Fetch = (url) => {
  const path = fileURLToPath(url);
  return Promise.resolve(existsSync(path) ? createReadStream(path) : undefined);
};

describe.skipIf(missing.length > 0)(title, () => {
  let folder: string;
  let trust: Trust;
  let key: RepositoryKey;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'packages-apt-'));
    await makeOrigin(join(folder, 'origin'));
    trust = { keys: [await readFile(join(folder, 'origin/key.asc'))], signatures: 'required' };
    const { privateKey } = await generateRepositoryKey('offline', nowMs - 120_000);
    key = await openRepositoryKey(privateKey, nowMs - 120_000);
  });

  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  function resolve(...names: readonly string[]): Promise<PackageSet> {
    const repositories = [{ url: `file://${folder}/origin`, suite: 'stable', components: ['main'], trust }];
    return resolvePackages(fetchFile, { family: 'apt', architecture: 'amd64', names, nowMs, repositories });
  }

  async function makeOffline(name: string, set: PackageSet, signer: RepositoryKey | undefined): Promise<string> {
    const root = join(folder, name);
    const input = { sets: [set], suite: 'offline', label: 'offline', dateMs: nowMs - 120_000 };
    for (const { path, content } of await renderAptRepository({ ...input, ...(signer ? { key: signer } : {}) })) {
      await mkdir(dirname(join(root, path)), { recursive: true });
      await writeFile(join(root, path), content);
    }
    for (const item of set.packages) {
      const path = join(root, aptPackagePath(item));
      await mkdir(dirname(path), { recursive: true });
      await copyFile(fileURLToPath(item.url), path);
    }
    return root;
  }

  /** apt with a root of its own, in which nothing is installed, that knows one repository. */
  async function aptRoot(name: string, source: string): Promise<(...args: readonly string[]) => Promise<string>> {
    const root = join(folder, name);
    for (const path of ['var/lib/dpkg/updates', 'var/lib/dpkg/info', 'var/lib/apt/lists/partial', 'var/cache/apt/archives/partial', 'etc/apt', 'var/log/apt'])
      await mkdir(join(root, path), { recursive: true }); // prettier-ignore
    await writeFile(join(root, 'var/lib/dpkg/status'), '');
    await writeFile(join(root, 'etc/apt/sources.list'), `${source}\n`);
    const settings = [
      ...[`Dir=${root}`, `Dir::State::status=${root}/var/lib/dpkg/status`, 'Dir::Bin::dpkg=/usr/bin/dpkg'],
      ...['APT::Sandbox::User=root', 'APT::Architecture=amd64', 'APT::Architectures::=amd64'],
      ...['force-not-root', 'force-script-chrootless', `root=${root}`].map((item) => `DPkg::Options::=--${item}`),
      `Dir::Log=${root}/var/log/apt`,
    ];
    const env = { APT_CONFIG: join(root, 'apt.conf'), DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' };
    await writeFile(join(root, 'apt.conf'), '');
    return async (...args) => {
      const flags = settings.flatMap((setting) => ['-o', setting]);
      const { stdout, all, exitCode } = await execa('apt-get', [...flags, ...args], { env, all: true, reject: false });
      if (exitCode !== 0) throw new Error(all);
      return stdout;
    };
  }

  async function keyFile(signer: RepositoryKey, name: string): Promise<string> {
    const path = join(folder, name);
    await writeFile(path, signer.publicKey);
    return path;
  }

  test('finds in its own repository what the resolver found, and not a package more', async () => {
    const set = await resolve('tool');
    const apt = await aptRoot('ask', `deb [signed-by=${folder}/origin/key.asc] file:${folder}/origin stable main`);
    await apt('update');
    const uris = (await apt('install', '--print-uris', '-qq', '-y', 'tool')).split('\n');

    const theirs = uris.map((line) => decodeURIComponent(/\/([^/']+)'/.exec(line)?.[1] ?? '')).sort();
    expect(theirs).toEqual(set.packages.map(({ filename }) => filename).sort());
    expect(set.packages.map(({ name, version }) => `${name} ${version}`)).toEqual([
      'base 1:3-1',
      'helper 1.0~rc1',
      'libx 1.10',
      'tool 1.0',
    ]);
  });

  test('installs from the offline repository, its signature required and nothing else reachable', async () => {
    const set = await resolve('tool');
    const offline = await makeOffline('offline', set, key);
    await rm(join(folder, 'origin/pool'), { recursive: true });
    try {
      const apt = await aptRoot(
        'host',
        `deb [signed-by=${await keyFile(key, 'offline.asc')}] file:${offline} offline main`,
      );
      await apt('update', '-o', 'APT::Update::Error-Mode=any');
      await apt('install', '-y', 'tool');
      expect(readFileSync(join(folder, 'host/usr/share/tool'), 'utf8')).toBe('tool\n');
      expect(readdirSync(join(folder, 'host/usr/share')).sort()).toEqual(['base', 'helper', 'libx', 'tool']);
    } finally {
      await makeOrigin(join(folder, 'origin'), false);
    }
  });

  test('refuses the offline repository with another key, and with a byte changed', async () => {
    const set = await resolve('tool');
    const offline = await makeOffline('changed', set, key);
    const { privateKey } = await generateRepositoryKey('stranger', nowMs - 120_000);
    const stranger = await keyFile(await openRepositoryKey(privateKey, nowMs - 120_000), 'stranger.asc');
    const wrong = await aptRoot('wrong', `deb [signed-by=${stranger}] file:${offline} offline main`);
    await expect(wrong('update', '-o', 'APT::Update::Error-Mode=any')).rejects.toThrow('NO_PUBKEY');

    await rm(join(offline, 'dists/offline/main/binary-amd64/Packages.gz'));
    const packages = join(offline, 'dists/offline/main/binary-amd64/Packages');
    await writeFile(packages, (await readFile(packages, 'utf8')).replace('Version: 1.10', 'Version: 1.11'));
    const right = await aptRoot('right', `deb [signed-by=${await keyFile(key, 'k.asc')}] file:${offline} offline main`);
    await expect(right('update', '-o', 'APT::Update::Error-Mode=any')).rejects.toThrow(/Hash Sum|unexpected size/);
  });
});

/** A repository as a distribution makes it: by dpkg-deb, apt-ftparchive, xz and gpg. With `fresh`, also its key. */
async function makeOrigin(root: string, fresh = true): Promise<void> {
  const debs: readonly (readonly [string, string, string, Readonly<Record<string, string>>])[] = [
    ['tool', '1.0', 'amd64', { 'Pre-Depends': 'base (>= 1:2)', Depends: 'libx (>= 1.9), gone | helper-api (>= 1)' }],
    ['libx', '1.9', 'amd64', {}],
    ['libx', '1.10', 'amd64', { Depends: 'base' }],
    ['helper', '1.0~rc1', 'all', { Provides: 'helper-api (= 1.5)', Depends: 'tool' }],
    ['base', '1:3-1', 'amd64', {}],
    ['unasked', '1', 'amd64', {}],
  ];
  const pool = join(root, 'pool');
  await mkdir(pool, { recursive: true });
  for (const [name, version, architecture, fields] of debs) {
    const tree = join(root, 'tree');
    await mkdir(join(tree, 'DEBIAN'), { recursive: true });
    await mkdir(join(tree, 'usr/share'), { recursive: true });
    await writeFile(join(tree, 'usr/share', name), `${name}\n`);
    const all = {
      Package: name,
      Version: version,
      Architecture: architecture,
      Maintainer: 'test <t@example.com>',
      Description: 'test',
      ...fields,
    };
    await writeFile(
      join(tree, 'DEBIAN/control'),
      Object.entries(all)
        .map(([field, value]) => `${field}: ${value}\n`)
        .join(''),
    );
    await execa('dpkg-deb', ['--root-owner-group', '-Zgzip', '--build', tree, pool]);
    await rm(tree, { recursive: true });
  }
  if (!fresh) return;
  const binary = join(root, 'dists/stable/main/binary-amd64');
  await mkdir(binary, { recursive: true });
  const packages = join(binary, 'Packages');
  await writeFile(packages, `${(await execa('apt-ftparchive', ['packages', 'pool'], { cwd: root })).stdout}\n`);
  await execa('xz', ['-k', packages]);
  const fields = { Suite: 'stable', Codename: 'stable', Architectures: 'amd64', Components: 'main' };
  const options = Object.entries(fields).flatMap(([name, value]) => [
    '-o',
    `APT::FTPArchive::Release::${name}=${value}`,
  ]);
  const release = (await execa('apt-ftparchive', [...options, 'release', 'dists/stable'], { cwd: root })).stdout;
  await writeFile(join(root, 'dists/stable/Release'), `${release}\n`);
  const home = join(root, 'gnupg');
  await mkdir(home, { mode: 0o700 });
  const gpg = (...args: readonly string[]): Promise<unknown> =>
    execa('gpg', ['--homedir', home, '--batch', '--quiet', '--pinentry-mode=loopback', '--passphrase=', ...args]);
  try {
    await gpg('--quick-gen-key', 'origin', 'ed25519', 'sign', 'never');
    await gpg('--armor', '--output', join(root, 'key.asc'), '--export', 'origin');
    await gpg('--clearsign', '--output', join(root, 'dists/stable/InRelease'), join(root, 'dists/stable/Release'));
  } finally {
    await execa('gpgconf', ['--homedir', home, '--kill', 'all'], { reject: false });
  }
}

/** What this machine's apt has fetched of Debian, and the keys that it trusts. */
const lists = '/var/lib/apt/lists';
const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';
const hasDebian =
  missing.length === 0 &&
  existsSync(keyring) &&
  existsSync(lists) &&
  readdirSync(lists).some((name) => name.endsWith('_debian_dists_bookworm_InRelease'));

describe.skipIf(!hasDebian)(`Debian itself${hasDebian ? '' : ' (skipped: no package lists of bookworm here)'}`, () => {
  const fetchLists: Fetch = async (url) => {
    const path = join(lists, url.replace('http://', '').replaceAll('/', '_'));
    if (existsSync(path)) return createReadStream(path);
    if (!existsSync(`${path}.lz4`)) return undefined;
    // apt keeps the indexes packed in its own way; their digests are those of the plain files.
    const { stdout } = await execa('/usr/lib/apt/apt-helper', ['cat-file', `${path}.lz4`], { encoding: 'buffer', maxBuffer: 2 ** 30, stripFinalNewline: false });
    return inPieces(Buffer.from(stdout), 65_536);
  };
  const trust: Trust = { keys: [hasDebian ? readFileSync(keyring) : ''], signatures: 'required' };
  const names = ['conntrack', 'socat', 'ethtool', 'iptables', 'ipset', 'ebtables', 'chrony', 'nfs-common', 'curl', 'xfsprogs'];

  test("the closure over its signed repositories is apt's own", async () => {
    const site = 'http://deb.debian.org';
    const suites = [
      ['debian', 'bookworm'],
      ['debian', 'bookworm-updates'],
      ['debian-security', 'bookworm-security'],
    ].filter(([path, suite]) => existsSync(join(lists, `deb.debian.org_${path}_dists_${suite}_InRelease`)));
    const repositories = suites.map(([path, suite = '']) => ({ url: `${site}/${path}`, suite, components: ['main'], trust }));
    const set = await resolvePackages(fetchLists, { family: 'apt', architecture: 'amd64', names, nowMs, repositories });

    const flags = ['-o', 'Dir::State::status=/dev/null', '-o', 'Dir::Cache::archives=/nonexistent', '--print-uris', '-qq', '-y'];
    const { stdout } = await execa('apt-get', [...flags, '--no-install-recommends', 'install', ...names]);
    const theirs = stdout.split('\n').map((line) => decodeURIComponent(line.split("'")[1] ?? ''));
    expect(set.packages.map(({ url }) => decodeURIComponent(url)).sort()).toEqual(theirs.sort());
    expect(set.packages.length).toBeGreaterThan(60);
  });
}); // prettier-ignore
