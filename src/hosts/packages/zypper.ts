import type { PackageManager } from './package-manager.ts';
import { findInstalledRpms, rpmRecord, rpmRemoval } from './rpm.ts';

const repositoriesFile = '/etc/zypp/repos.d/installer.repo';

/**
 * zypper asks whether it may trust a key, unless rpm knows it: those of the user's repositories are told to rpm. (It can also be
 * told to trust whatever a repository shows.)
 */
const refresh = `sed -n 's|^gpgkey=file://||p' ${repositoriesFile} 2>/dev/null | while read -r k; do rpm --import "$k" || exit 1; done || exit 1
exec zypper --non-interactive --quiet refresh`;

/** zypper of openSUSE and SLES. */
export const zypper: PackageManager = {
  name: 'zypper',
  env: { ZYPP_LOCK_TIMEOUT: '300' },
  repositories: { file: repositoriesFile, folder: '/etc/zypp/repos.d', more: [] },
  record: rpmRecord,
  removal: rpmRemoval,
  findInstalled: findInstalledRpms,
  refresh: ['/bin/sh', '-c', refresh],
  install: (names) => [
    'zypper',
    '--non-interactive',
    '--quiet',
    'install',
    '--no-recommends',
    '--auto-agree-with-licenses',
    ...names,
  ],
  atVersion: (name, version) => {
    const dot = version.lastIndexOf('.');
    return `${name}.${version.slice(dot + 1)}=${version.slice(0, dot)}`;
  },
  rehearsal: {
    try: (names) => [
      'zypper',
      '--non-interactive',
      '--xmlout',
      'install',
      '--dry-run',
      '--no-recommends',
      '--auto-agree-with-licenses',
      ...names,
    ],
    removed: ['remove', 'downgrade']
      .map((what) => `/<to-${what}>/,/<\\/to-/s/.*<solvable .* name="\\([^"]*\\)".*/\\1/p`)
      .join('\n'),
    proof: '^<install-summary\\|Nothing to do',
  },
  remove: (names) => ['rpm', '-e', ...names],
};
