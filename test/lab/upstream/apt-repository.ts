import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { cachedDir, contentKey } from './cache.ts';
import type { BuildContext } from './go-build.ts';

/** Packages a host may be asked to install; what they depend on comes along. */
const packages = [
  ...[
    'ca-certificates',
    'chrony',
    'conntrack',
    'curl',
    'diffutils',
    'ebtables',
    'ethtool',
    'findutils',
    'iproute2',
    'ipset',
    'iptables',
    'jq',
    'kmod',
  ],
  ...[
    'haproxy',
    'keepalived',
    'logrotate',
    'nfs-common',
    'nftables',
    'open-iscsi',
    'openssl',
    'procps',
    'psmisc',
    'rsync',
    'socat',
  ],
  ...['tar', 'util-linux', 'xfsprogs'],
];

/** Debian release of the repository; the machine's own has to be the same, since its package lists are used. */
export const aptSuite = 'bookworm';
/** Path of the repository below the download server's root. */
export const aptPath = 'debian';

const binaryDir = join(aptPath, 'dists', aptSuite, 'main', 'binary-amd64');

/** Directory to be served that holds an unsigned repository of Debian packages under `aptPath`; filled when the cache lacks it. */
export async function aptRepository(context: BuildContext): Promise<string> {
  return cachedDir({
    kind: 'upstream/apt',
    key: `${aptSuite}-${contentKey({ packages, layout: 1 })}`,
    log: context.log,
    signal: context.signal,
    build: async (dir) => {
      const release = await readFile('/etc/os-release', 'utf8');
      if (!release.includes(`VERSION_CODENAME=${aptSuite}\n`))
        throw new Error(`the apt repository needs Debian ${aptSuite}`);
      context.log('downloading Debian packages for the apt repository (about 20 s)');
      await downloadPackages(join(dir, aptPath, 'pool'), context);
      await writeIndexes(dir);
    },
  });
}

async function downloadPackages(pool: string, context: BuildContext): Promise<void> {
  await mkdir(join(pool, 'partial'), { recursive: true });
  // With no package installed as far as apt knows, everything that is depended on is downloaded too.
  const settings = ['Dir::State::status=/dev/null', `Dir::Cache::archives=${pool}`, 'APT::Sandbox::User=root'];
  const flags = ['--yes', '--quiet=2', '--download-only', '--no-install-recommends'];
  const options = { stdin: 'ignore', ...(context.signal ? { cancelSignal: context.signal } : {}) } as const;
  await execa('apt-get', ['update', '-qq'], options);
  await execa(
    'apt-get',
    [...settings.flatMap((setting) => ['-o', setting]), ...flags, 'install', ...packages],
    options,
  );
  for (const name of await readdir(pool)) {
    if (!name.endsWith('.deb')) await rm(join(pool, name), { recursive: true });
    // apt escapes the colon of an epoch; a server that decodes the URL would look for another name.
    else if (name.includes('%3a')) await rename(join(pool, name), join(pool, name.replace('%3a', '.')));
  }
}

async function writeIndexes(dir: string): Promise<void> {
  const root = join(dir, aptPath);
  await mkdir(join(dir, binaryDir), { recursive: true });
  const { stdout: index } = await execa('apt-ftparchive', ['packages', 'pool'], { cwd: root, stdin: 'ignore' });
  await writeFile(join(dir, binaryDir, 'Packages'), `${index}\n`);
  await execa('gzip', ['--keep', '-n', join(dir, binaryDir, 'Packages')], { stdin: 'ignore' });
  const fields = {
    Origin: 'installer lab',
    Suite: aptSuite,
    Codename: aptSuite,
    Architectures: 'amd64',
    Components: 'main',
  };
  const settings = Object.entries(fields).flatMap(([name, value]) => [
    '-o',
    `APT::FTPArchive::Release::${name}=${value}`,
  ]);
  const release = await execa('apt-ftparchive', [...settings, 'release', `dists/${aptSuite}`], {
    cwd: root,
    stdin: 'ignore',
  });
  await writeFile(join(root, 'dists', aptSuite, 'Release'), `${release.stdout}\n`);
}

/** What a host needs in order to trust the repository, and the directory with the signatures that is served beside it. */
export interface AptSignature {
  /** Armored public key, for `signed-by`. */
  readonly keyFile: string;
  readonly root: string;
}

/** Signs the repository with a key that lives in `stateDir`, made there once. */
export async function signAptRepository(repository: string, stateDir: string): Promise<AptSignature> {
  const home = join(stateDir, 'apt-gnupg');
  const root = join(stateDir, 'apt-signatures');
  const keyFile = join(stateDir, 'apt-key.asc');
  const gpg = (...args: string[]): Promise<unknown> =>
    execa(
      'gpg',
      ['--homedir', home, '--batch', '--yes', '--quiet', '--pinentry-mode=loopback', '--passphrase=', ...args],
      {
        stdin: 'ignore',
      },
    );
  const signed = join(root, aptPath, 'dists', aptSuite);
  const unsigned = join(repository, aptPath, 'dists', aptSuite, 'Release');
  await mkdir(home, { recursive: true, mode: 0o700 });
  await mkdir(signed, { recursive: true });
  try {
    if (!(await readdir(home)).includes('pubring.kbx')) {
      await gpg('--quick-gen-key', 'installer lab', 'ed25519', 'sign', 'never');
    }
    await gpg('--armor', '--output', keyFile, '--export', 'installer lab');
    await gpg('--clearsign', '--output', join(signed, 'InRelease'), unsigned);
    await gpg('--armor', '--detach-sign', '--output', join(signed, 'Release.gpg'), unsigned);
  } finally {
    // gpg leaves an agent behind that would outlive the lab.
    await execa('gpgconf', ['--homedir', home, '--kill', 'all'], { stdin: 'ignore' });
  }
  return { keyFile, root };
}
