import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run, type Log } from './commands.ts';
import { bootstrap, customise, rootfsContent, serverPackages } from './rootfs.ts';
import { ensureRpmTools } from './available.ts';
import { cachedDir, contentKey } from './upstream/cache.ts';
import { basePackages, osRelease, rpmRecipes, rpmSources } from './upstream/rpm-recipes.ts';
import { buildRpmRepository, installedNames, rpmPath } from './upstream/rpm-repository.ts';

/**
 * What hosts of the rpm family start from. It proves the way through dnf and rpm, not a distribution: kernel, systemd and all
 * programs are Debian's, only what dnf installs comes in rpm packages (whose files are Debian's again).
 */
export interface RpmSystem {
  /** Root file system that hosts are copied from. */
  readonly root: string;
  /** Directory to be served: the distribution's mirror. */
  readonly servedDir: string;
  /** Armored public key of packages and index. */
  readonly keyFile: string;
}

const content = {
  packages: [...serverPackages, 'dnf', 'rpm'],
  /** What would tell that it is a Debian: packages' records, package managers, and names. */
  hidden: [
    ...[
      'var/lib/dpkg',
      'var/lib/apt',
      'var/cache/apt',
      'etc/apt',
      'etc/dpkg',
      'etc/debian_version',
      'usr/lib/os-release',
    ],
    ...['usr/bin/apt*', 'usr/bin/dpkg*', 'usr/sbin/dpkg*', 'usr/sbin/update-rc.d', 'usr/lib/apt', 'usr/share/keyrings'],
  ],
  files: {
    // Debian's rpm keeps packages of an account, not of the system.
    'etc/rpm/macros': '%_dbpath /var/lib/rpm\n',
    'etc/dnf/dnf.conf':
      '[main]\ngpgcheck=1\ninstallonly_limit=3\nclean_requirements_on_remove=True\nbest=True\nskip_if_unavailable=False\n',
  },
};

/** Made once (two minutes) and cached; what building it takes is installed on this machine. */
export async function ensureRpmSystem(log: Log): Promise<RpmSystem> {
  const entry = await cachedDir({
    kind: 'rpm-system',
    key: contentKey({ rootfsContent, content, basePackages, osRelease, rpmRecipes, rpmSources, layout: 2 }),
    log,
    build: async (dir) => {
      await ensureRpmTools(log);
      log('making the root file system of rpm hosts and their repository (about two minutes)');
      const root = join(dir, 'root');
      await bootstrap(root, content.packages);
      await customise(root);
      await buildRpmRepository(dir, root);
      await becomeRpm(root, join(dir, 'served', rpmPath, 'Packages'));
    },
  });
  return { root: join(entry, 'root'), servedDir: join(entry, 'served'), keyFile: join(entry, 'RPM-GPG-KEY-lab') };
}

async function becomeRpm(root: string, packages: string): Promise<void> {
  for (const pattern of content.hidden) await run('sh', ['-c', `rm -rf -- ${pattern}`], { cwd: root });
  for (const [path, text] of Object.entries(content.files)) {
    await run('mkdir', ['-p', join(root, path, '..')]);
    await writeFile(join(root, path), text);
  }
  await rm(join(root, 'etc/os-release'), { force: true });
  const isBase = (file: string): boolean => installedNames.some((name) => new RegExp(`^${name}-[0-9]`).test(file));
  const base = (await readdir(packages)).filter(isBase).map((file) => join(packages, file));
  const options = ['--root', root, '--dbpath', '/var/lib/rpm', '--nosignature', '--noscripts'];
  await run('rpm', [...options, '--install', ...base]);
}
