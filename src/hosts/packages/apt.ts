import type { PackageManager } from './package-manager.ts';

/**
 * Waits for a dpkg that somebody else runs. Files of configuration that were changed stay, and services are neither asked about
 * (needrestart) nor recommended packages brought.
 */
const options = ['-q', '-y', '-o', 'DPkg::Lock::Timeout=300', '-o', 'Dpkg::Use-Pty=0'] as const;

/** apt and dpkg of Debian and what is made of it. */
export const apt: PackageManager = {
  name: 'apt-get',
  env: { DEBIAN_FRONTEND: 'noninteractive', NEEDRESTART_MODE: 'l', APT_LISTCHANGES_FRONTEND: 'none' },
  repositories: {
    file: '/etc/apt/sources.list.d/installer.sources',
    folder: '/etc/apt/sources.list.d',
    more: ['/etc/apt/sources.list'],
  },
  record: {
    list: ['dpkg-query', '-W', '-f', '${db:Status-Abbrev} ${Package}\\n'],
    // Unlike apt-get, dpkg takes nothing away that was not named: it objects.
    tryRemoval: ['dpkg', '--simulate', '--purge'],
  },
  removal: {
    find: ['dpkg-query', '-W', '-f', '${db:Status-Abbrev} ${Package} ${Version}\\n'],
    remove: ['dpkg', '--remove'],
    files: ['dpkg-query', '-L'],
    // dpkg leaves it where it is.
    editedConfig: ['true'],
    hold: ['apt-mark', 'hold'],
    // As apt-get asks for.
    mend: [
      '/bin/sh',
      '-c',
      "ls /var/lib/dpkg/updates 2>/dev/null | grep -q '^[0-9]' || exit 0; exec dpkg --force-confdef --force-confold --configure -a",
    ],
  },
  findInstalled: (names) => ['dpkg-query', '-W', '-f', '${db:Status-Abbrev} ${Package}\\n', ...names],
  refresh: ['apt-get', ...options, 'update'],
  install: (names) => [
    'apt-get',
    ...options,
    '-o',
    'Dpkg::Options::=--force-confdef',
    '-o',
    'Dpkg::Options::=--force-confold',
    '--no-install-recommends',
    // What is there stays: nobody would bring it back.
    '--no-remove',
    'install',
    ...names,
  ],
  atVersion: (name, version) => `${name}=${version}`,
  remove: (names) => ['dpkg', '--purge', ...names],
};
