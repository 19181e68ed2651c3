import type { PackageManager } from './package-manager.ts';
import { findInstalledRpms, rpmRecord } from './rpm.ts';

/** zypper of openSUSE and SLES. */
export const zypper: PackageManager = {
  name: 'zypper',
  env: { ZYPP_LOCK_TIMEOUT: '300' },
  record: rpmRecord,
  findInstalled: findInstalledRpms,
  refresh: ['zypper', '--non-interactive', '--quiet', 'refresh'],
  install: (names) => [
    'zypper',
    '--non-interactive',
    '--quiet',
    'install',
    '--no-recommends',
    '--auto-agree-with-licenses',
    ...names,
  ],
  remove: (names) => ['rpm', '-e', ...names],
};
