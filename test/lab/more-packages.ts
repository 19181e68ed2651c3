import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run, tryRun, type Log } from './commands.ts';
import { must } from './faults/must.ts';
import type { LabHost } from './host.ts';
import { ensureRootfs } from './rootfs.ts';
import { cachedDir, contentKey } from './upstream/cache.ts';

/** Where a host finds packages while they are installed. */
const folder = '/opt/more-packages';
const source = '/etc/apt/sources.list.d/more-packages.list';

/**
 * Installs Debian packages on a Debian host, which its own repository need not have: firewalls, other time services. A
 * repository on the host itself, gone afterwards, so the host's sources stay as they are.
 */
export async function installMorePackages(host: LabHost, names: readonly string[], log: Log): Promise<void> {
  const target = join(host.root, folder);
  await run('cp', ['-a', '--reflink=auto', await ensureArchives(names, log), target]);
  await writeFile(join(host.root, source), `deb [trusted=yes] file:${folder} ./\n`);
  const only = `-qq -o Dir::Etc::sourcelist=${source} -o Dir::Etc::sourceparts=-`;
  await must(
    host,
    `set -e; export DEBIAN_FRONTEND=noninteractive
     apt-get ${only} update
     apt-get ${only} --no-install-recommends install ${names.join(' ')} >/dev/null
     rm -rf ${source} ${folder}; apt-get -qq update`,
    { timeoutMs: 120_000 },
  );
}

/** Lays the files of Debian packages into a host of the rpm family, which has no dpkg; what is there already stays. */
export async function unpackMorePackages(host: LabHost, names: readonly string[], log: Log): Promise<void> {
  const archives = await ensureArchives(names, log);
  const unpack = 'dpkg-deb --fsys-tarfile "$1" | tar -C "$2" -x --skip-old-files --keep-directory-symlink';
  for (const file of (await readdir(archives)).filter((name) => name.endsWith('.deb')))
    await run('sh', ['-c', unpack, 'sh', join(archives, file), host.root]);
  await must(host, 'ldconfig');
}

/** Packages, and what they depend on and Debian hosts of the lab lack, as a repository without a signature. */
function ensureArchives(names: readonly string[], log: Log): Promise<string> {
  return cachedDir({
    kind: 'more-packages',
    key: contentKey({ names, layout: 1 }),
    log,
    build: async (dir) => {
      log(`downloading ${names.join(', ')}`);
      await mkdir(join(dir, 'partial'));
      const settings = [
        `Dir::State::status=${await ensureRootfs(log)}/var/lib/dpkg/status`,
        `Dir::Cache::archives=${dir}`,
      ];
      const options = [...settings, 'APT::Sandbox::User=root'].flatMap((setting) => ['-o', setting]);
      const command = [...options, '-y', '-qq', '--download-only', '--no-install-recommends', 'install', ...names];
      // The lists may be old or empty: they are fetched only where the first try shows it.
      if ((await tryRun('apt-get', command)).exitCode !== 0) {
        await run('apt-get', ['update', '-qq']);
        await run('apt-get', command);
      }
      for (const name of await readdir(dir)) {
        if (!name.endsWith('.deb')) await rm(join(dir, name), { recursive: true });
        // apt writes the colon of an epoch so, and would look for another name.
        else if (name.includes('%3a')) await rename(join(dir, name), join(dir, name.replace('%3a', '.')));
      }
      await writeFile(join(dir, 'Packages'), await run('apt-ftparchive', ['packages', '.'], { cwd: dir }));
    },
  });
}
