import { createReadStream, existsSync, readFileSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { renderRpmRepository, rpmPackagePath } from '../../src/packages/rpm/render.ts';
import { resolvePackages } from '../../src/packages/resolve.ts';
import { generateRepositoryKey, openRepositoryKey, type RepositoryKey } from '../../src/packages/signing.ts';
import type { Fetch, PackageSet, Trust } from '../../src/packages/types.ts';

const missing = ['dnf', 'rpmbuild', 'createrepo_c', 'gpg'].filter((tool) => !existsSync(`/usr/bin/${tool}`));
const title = missing.length === 0 ? 'a real dnf' : `a real dnf (skipped: no ${missing.join(', ')})`;

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
    folder = await mkdtemp(join(tmpdir(), 'packages-dnf-'));
    await makeOrigin(join(folder, 'origin'));
    trust = { keys: [await readFile(join(folder, 'origin/key.asc'))], signatures: 'required' };
    const { privateKey } = await generateRepositoryKey('offline', nowMs - 120_000);
    key = await openRepositoryKey(privateKey, nowMs - 120_000);
  });

  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  function resolve(...names: readonly string[]): Promise<PackageSet> {
    const repositories = [{ url: `file://${folder}/origin/$basearch`, trust }];
    const request = { family: 'rpm', release: '9', architecture: 'amd64', names, nowMs, repositories } as const;
    return resolvePackages(fetchFile, request);
  }

  async function makeOffline(name: string, set: PackageSet): Promise<string> {
    const root = join(folder, name);
    for (const { path, content } of await renderRpmRepository({
      packages: set.packages,
      dateMs: nowMs - 120_000,
      key,
    })) {
      await mkdir(dirname(join(root, path)), { recursive: true });
      await writeFile(join(root, path), content);
    }
    for (const item of set.packages) {
      const path = join(root, rpmPackagePath(item));
      await mkdir(dirname(path), { recursive: true });
      await copyFile(fileURLToPath(item.url), path);
    }
    return root;
  }

  /** dnf with a root of its own, in which nothing is installed, that knows one repository and wants its index signed. */
  async function dnfRoot(
    name: string,
    repository: string,
    publicKey: string,
  ): Promise<(...args: readonly string[]) => Promise<string>> {
    const root = join(folder, name);
    for (const path of ['repos', 'log']) await mkdir(join(root, path), { recursive: true });
    await writeFile(join(root, 'key.asc'), publicKey);
    const lines = [`baseurl=file://${repository}`, 'repo_gpgcheck=1', 'gpgcheck=0', `gpgkey=file://${root}/key.asc`];
    await writeFile(join(root, 'repos/one.repo'), ['[one]', 'name=one', 'enabled=1', ...lines, ''].join('\n'));
    await writeFile(
      join(root, 'dnf.conf'),
      '[main]\nbest=True\nskip_if_unavailable=False\ninstall_weak_deps=False\nplugins=0\n',
    );
    const settings = [
      `reposdir=${root}/repos`,
      `cachedir=${root}/cache`,
      `persistdir=${root}/persist`,
      `logdir=${root}/log`,
    ];
    const flags = [
      `--config=${root}/dnf.conf`,
      `--installroot=${root}/installed`,
      '--releasever=9',
      '--forcearch=x86_64',
      '-y',
    ];
    return async (...args) => {
      const options = [...flags, ...settings.map((setting) => `--setopt=${setting}`)];
      const { all, exitCode } = await execa('dnf', [...options, ...args], {
        all: true,
        reject: false,
        env: { LC_ALL: 'C' },
      });
      if (exitCode !== 0) throw new Error(all);
      return all;
    };
  }

  test('finds in its own repository what the resolver found, and not a package more', async () => {
    const set = await resolve('tool');
    const dnf = await dnfRoot(
      'ask',
      join(folder, 'origin/x86_64'),
      await readFile(join(folder, 'origin/key.asc'), 'utf8'),
    );
    await dnf('install', '--downloadonly', '--downloaddir', join(folder, 'theirs'), 'tool');

    const theirs = (await readdir(join(folder, 'theirs'))).sort();
    expect(theirs).toEqual(set.packages.map(({ filename }) => filename).sort());
    expect(set.packages.map(({ name, version }) => `${name} ${version}`)).toEqual([
      'base 2:3-1',
      'far 1-1',
      'helper 1.0~rc1-1',
      'libx 1.10-1',
      'second 1-1',
      'tool 1.0-1',
    ]);
    expect(set.packages.find(({ name }) => name === 'far')?.files).toEqual(['/usr/share/far/file']);
  });

  test('installs from the offline repository, its signature required and nothing else reachable', async () => {
    const offline = await makeOffline('offline', await resolve('tool'));
    const dnf = await dnfRoot('host', offline, key.publicKey);
    expect(await dnf('install', 'tool')).toContain('Complete!');
    expect(readFileSync(join(folder, 'host/installed/usr/share/tool/file'), 'utf8')).toBe('tool\n');
    expect((await readdir(join(folder, 'host/installed/usr/share'))).sort()).toEqual(
      expect.arrayContaining(['base', 'far', 'helper', 'libx', 'second', 'tool']),
    );
  });

  const hasZypper = existsSync('/usr/bin/zypper');
  test.skipIf(!hasZypper)(`as zypper takes it${hasZypper ? '' : ' (skipped: no zypper)'}`, async () => {
    const offline = await makeOffline('suse', await resolve('tool'));
    const root = join(folder, 'zypper');
    await mkdir(join(root, 'etc/zypp/repos.d'), { recursive: true });
    await writeFile(join(root, 'key.asc'), key.publicKey);
    const lines = ['enabled=1', 'type=rpm-md', 'gpgcheck=1', 'repo_gpgcheck=1', 'pkg_gpgcheck=0'];
    const repo = ['[one]', 'name=one', `baseurl=file://${offline}`, `gpgkey=file://${root}/key.asc`, ...lines, ''];
    await writeFile(join(root, 'etc/zypp/repos.d/one.repo'), repo.join('\n'));
    const flags = ['--root', root, '--non-interactive', '--gpg-auto-import-keys'];
    await execa('zypper', [...flags, 'refresh']);
    const { stdout } = await execa('zypper', [...flags, 'install', '--dry-run', 'tool']);
    expect(stdout).toMatch(/^\s*base far helper libx second tool$/m);
  });

  test('refuses the offline repository with another key, and with a byte changed', async () => {
    const offline = await makeOffline('changed', await resolve('tool'));
    const { privateKey } = await generateRepositoryKey('stranger', nowMs - 120_000);
    const stranger = await openRepositoryKey(privateKey, nowMs - 120_000);
    const wrong = await dnfRoot('wrong', offline, stranger.publicKey);
    await expect(wrong('makecache')).rejects.toThrow(/GPG|signature/i);

    const repomd = join(offline, 'repodata/repomd.xml');
    await writeFile(repomd, (await readFile(repomd, 'utf8')).replace('</repomd>', ' </repomd>'));
    const right = await dnfRoot('right', offline, key.publicKey);
    await expect(right('makecache')).rejects.toThrow(/GPG|signature/i);
  });
});

interface Spec {
  readonly name: string;
  readonly version: string;
  readonly epoch?: number;
  readonly lines?: readonly string[];
}

/** A repository as a distribution makes it: by rpmbuild, createrepo_c and gpg. */
async function makeOrigin(root: string): Promise<void> {
  const specs: readonly Spec[] = [
    { name: 'tool', version: '1.0', lines: ['Requires: libx >= 1.9', 'Requires: (gone or helper-api >= 1)', 'Requires: /usr/share/far/file', 'Requires: (second if base)', 'Requires(pre): base >= 2:2'] },
    { name: 'libx', version: '1.9' },
    { name: 'libx', version: '1.10', lines: ['Requires: base'] },
    { name: 'helper', version: '1.0~rc1', lines: ['Provides: helper-api = 1.5', 'Requires: tool'] },
    { name: 'base', version: '3', epoch: 2 },
    { name: 'far', version: '1' },
    { name: 'second', version: '1' },
    { name: 'unasked', version: '1' },
  ]; // prettier-ignore
  const packages = join(root, 'x86_64');
  await mkdir(packages, { recursive: true });
  for (const spec of specs) await build(spec, join(root, 'work'), packages);
  await execa('createrepo_c', ['--quiet', packages]);
  const home = join(root, 'gnupg');
  await mkdir(home, { mode: 0o700 });
  const gpg = (...args: readonly string[]): Promise<unknown> =>
    execa('gpg', ['--homedir', home, '--batch', '--quiet', '--pinentry-mode=loopback', '--passphrase=', ...args]);
  try {
    await gpg('--quick-gen-key', 'origin', 'rsa3072', 'sign', 'never');
    await gpg('--armor', '--output', join(root, 'key.asc'), '--export', 'origin');
    await gpg('--armor', '--detach-sign', join(packages, 'repodata/repomd.xml'));
  } finally {
    await execa('gpgconf', ['--homedir', home, '--kill', 'all'], { reject: false });
  }
}

async function build({ name, version, epoch, lines = [] }: Spec, work: string, packages: string): Promise<void> {
  await mkdir(work, { recursive: true });
  const spec = join(work, `${name}.spec`);
  const head = [
    `Name: ${name}`,
    `Version: ${version}`,
    'Release: 1',
    'Summary: test <of> & more',
    'License: none',
    'BuildArch: noarch',
  ];
  const text = [
    ...['%global __os_install_post %{nil}', ...head, ...(epoch === undefined ? [] : [`Epoch: ${epoch}`]), ...lines],
    ...['%description', 'test', '%install', `mkdir -p %{buildroot}/usr/share/${name}`],
    ...[`echo ${name} >%{buildroot}/usr/share/${name}/file`, '%files', `/usr/share/${name}/file`, ''],
  ].join('\n'); // prettier-ignore
  await writeFile(spec, text);
  const defines = [
    `_topdir ${work}`,
    `_rpmdir ${packages}`,
    '_build_name_fmt %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm',
  ];
  await execa('rpmbuild', ['-bb', '--quiet', ...defines.flatMap((define) => ['--define', define]), spec]);
}
