import type { PackageManager } from './package-manager.ts';
import { findInstalledRpms, rpmRecord, rpmRemoval } from './rpm.ts';

/** Lines that follow a heading of what goes, and what a new package replaces (obsoletes in the words of rpm). */
const removed = `s/^ *replacing *\\([^ ]*\\).*/\\1/p
/^[A-Z].*:$/h
/^ [^ ]/{
G
/\\nRemoving/b gone
/\\nDowngrading/b gone
d
:gone
s/^ \\([^ ]*\\).*/\\1/p
}`;

/** dnf, and yum before it: the same words for what is needed here. yum knows neither --best nor --setopt of every option. */
function createDnf(name: 'dnf' | 'yum'): PackageManager {
  return {
    name,
    env: {},
    repositories: { file: '/etc/yum.repos.d/installer.repo', folder: '/etc/yum.repos.d', more: [] },
    record: rpmRecord,
    removal: rpmRemoval,
    findInstalled: findInstalledRpms,
    refresh: [name, '-q', '-y', 'makecache'],
    install: (names) => [
      name,
      '-q',
      '-y',
      ...(name === 'dnf' ? ['--setopt=install_weak_deps=False'] : []),
      'install',
      ...names,
    ],
    atVersion: (name, version) => `${name}-${version}`,
    rehearsal: {
      try: (names) => [
        name,
        '--assumeno',
        ...(name === 'dnf' ? ['--setopt=install_weak_deps=False'] : []),
        'install',
        ...names,
      ],
      removed,
      proof: '^Transaction Summary\\|^Nothing to do',
    },
    // rpm takes away what it is told and nothing else; whether that may be was tried before.
    remove: (names) => ['rpm', '-e', ...names],
  };
}

export const dnf = createDnf('dnf');
export const yum = createDnf('yum');
