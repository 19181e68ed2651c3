import type { PackageManager } from './package-manager.ts';
import { findInstalledRpms, rpmRecord } from './rpm.ts';

/** dnf, and yum before it: the same words for what is needed here. yum knows neither --best nor --setopt of every option. */
function createDnf(name: 'dnf' | 'yum'): PackageManager {
  return {
    name,
    env: {},
    repositories: { file: '/etc/yum.repos.d/installer.repo', folder: '/etc/yum.repos.d', more: [] },
    record: rpmRecord,
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
    // rpm takes away what it is told and nothing else; whether that may be was tried before.
    remove: (names) => ['rpm', '-e', ...names],
  };
}

export const dnf = createDnf('dnf');
export const yum = createDnf('yum');
