import { copyFile, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../commands.ts';
import { buildRpm } from './rpm-build.ts';
import { basePackages, osRelease, rpmRecipes, rpmSources, rpmSystem } from './rpm-recipes.ts';

/** Path of the repository below the download server's root, as a mirror of the distribution has it. */
export const rpmPath = `${rpmSystem.id}/${rpmSystem.major}/BaseOS/x86_64/os`;

/** What a host's dnf has to be told. */
export interface RpmAccess {
  readonly url: string;
  /** Armored public key of packages and index. */
  readonly keyFile: string;
}

const keyName = 'installer lab rpm';

/**
 * Makes a signed dnf repository below `dir`/served/`rpmPath`, and its public key at `dir`/RPM-GPG-KEY-lab. The packages are
 * what `root`, a Debian root file system, lacks of `rpmSources`; what it has already they may count on.
 */
export async function buildRpmRepository(dir: string, root: string): Promise<void> {
  const work = join(dir, 'work');
  const repository = join(dir, 'served', rpmPath);
  const packages = join(repository, 'Packages');
  await mkdir(packages, { recursive: true });
  await buildBase(work, packages, root);
  await buildFromDebian(work, packages, root);
  const files = (await readdir(packages)).map((name) => join(packages, name));
  await sign(dir, files, async () => {
    await run('createrepo_c', ['--quiet', '--unique-md-filenames', repository]);
    return join(repository, 'repodata/repomd.xml');
  });
  await rm(work, { recursive: true });
}

/** Names of the packages that a host has from the start. */
export const installedNames: readonly string[] = [
  ...basePackages.map(({ name }) => name),
  'glibc',
  `${rpmSystem.id}-release`,
];

async function buildBase(work: string, packages: string, root: string): Promise<void> {
  for (const recipe of basePackages) {
    await buildRpm({ ...recipe, debianVersion: '1.0-1' }, join(work, 'base', recipe.name), packages);
  }
  const libraries = await run('find', [
    join(root, 'usr/lib/x86_64-linux-gnu'),
    '-maxdepth',
    '1',
    '-name',
    '*.so*',
    '-type',
    'f',
  ]);
  const provided = await run('/usr/lib/rpm/elfdeps', ['--provides'], { input: libraries });
  const provides = [...new Set(provided.split('\n').filter((name) => name !== ''))];
  // The loader's name is asked for like a library's.
  provides.push('rtld(GNU_HASH)');
  await buildRpm({ name: 'glibc', debianVersion: '2.36-9', provides }, join(work, 'base/glibc'), packages);
  const release = join(work, 'release');
  await mkdir(join(release, 'etc'), { recursive: true });
  await writeFile(join(release, 'etc/os-release'), osRelease);
  await writeFile(join(release, 'etc/redhat-release'), `Rocky Linux release ${rpmSystem.version} (installer lab)\n`);
  const name = `${rpmSystem.id}-release`;
  // dnf takes $releasever from whoever provides this name.
  const names = [`system-release = ${rpmSystem.version}`, `system-release(releasever) = ${rpmSystem.major}`];
  await buildRpm(
    { name, debianVersion: `${rpmSystem.version}-1`, provides: names, payload: release },
    join(work, 'base', name),
    packages,
  );
}

async function buildFromDebian(work: string, packages: string, root: string): Promise<void> {
  const archives = join(work, 'archives');
  await mkdir(join(archives, 'partial'), { recursive: true });
  const settings = [`Dir::State::status=${join(root, 'var/lib/dpkg/status')}`, `Dir::Cache::archives=${archives}`];
  const options = [...settings, 'APT::Sandbox::User=root'].flatMap((setting) => ['-o', setting]);
  const flags = ['--yes', '--quiet=2', '--download-only', '--no-install-recommends'];
  await run('apt-get', [...options, ...flags, 'install', ...rpmSources]);
  for (const file of (await readdir(archives)).filter((name) => name.endsWith('.deb'))) {
    const path = join(archives, file);
    const [name = '', debianVersion = ''] = (
      await run('dpkg-deb', ['-W', '--showformat=${Package}\\n${Version}\\n', path])
    ).split('\n');
    const recipe = rpmRecipes[name] ?? { name };
    const payload = join(work, 'payload', name);
    await mkdir(payload, { recursive: true });
    await run('dpkg-deb', ['-x', path, payload]);
    await run('sh', ['-ec', [...layout, ...(recipe.adjust ?? [])].join('\n')], { cwd: payload });
    await buildRpm({ ...recipe, debianVersion, payload }, join(work, 'rpm', name), packages);
  }
}

/** Debian's packages still name /lib and /sbin, which are links into /usr on the hosts. */
const layout = [
  'for d in bin sbin lib; do if [ -d $d ]; then mkdir -p usr/$d; cp -a $d/. usr/$d/; rm -r $d; fi; done',
  'rm -rf usr/share/doc usr/share/man usr/share/lintian usr/share/locale etc/init.d etc/default',
];

/** Signs packages, then the index that `index` makes of them. The private half is gone afterwards: nothing else is ever signed. */
async function sign(dir: string, packages: readonly string[], index: () => Promise<string>): Promise<void> {
  const home = join(dir, 'gnupg');
  await mkdir(home, { mode: 0o700 });
  const gpg = (...args: string[]): Promise<string> =>
    run('gpg', [
      '--homedir',
      home,
      '--batch',
      '--yes',
      '--quiet',
      '--pinentry-mode=loopback',
      '--passphrase=',
      ...args,
    ]);
  try {
    await gpg('--quick-gen-key', keyName, 'rsa3072', 'sign', 'never');
    const publicKey = join(dir, 'RPM-GPG-KEY-lab');
    await gpg('--armor', '--output', publicKey, '--export', keyName);
    const defines = [
      // Debian's rpm does not look for it in PATH.
      '__gpg /usr/bin/gpg',
      `_gpg_path ${home}`,
      `_gpg_name ${keyName}`,
      '_gpg_sign_cmd_extra_args --batch --pinentry-mode=loopback',
    ];
    await run('rpmsign', [...defines.flatMap((define) => ['--define', define]), '--addsign', ...packages]);
    const repomd = await index();
    await gpg('--armor', '--output', `${repomd}.asc`, '--detach-sign', repomd);
    await copyFile(publicKey, `${repomd}.key`);
  } finally {
    await run('gpgconf', ['--homedir', home, '--kill', 'all']);
    await rm(home, { recursive: true, force: true });
  }
}
