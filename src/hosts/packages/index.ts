import { apt } from './apt.ts';
import { dnf, yum } from './dnf.ts';
import {
  type PackageManager,
  type PackageManagerName,
  type PackageSource,
  packageManagerNames,
} from './package-manager.ts';
import { zypper } from './zypper.ts';

export { refuseRemovals } from './rehearsal.ts';
export { parseRemoval, removalQuery } from './removal.ts';

export { packageManagerNames, type PackageManager, type PackageSource };

const managers: Readonly<Record<PackageManagerName, PackageManager>> = { 'apt-get': apt, dnf, yum, zypper };

/** The first of those that a distribution uses which is on the host. */
export function choosePackageManager(
  wanted: readonly PackageManagerName[],
  tools: ReadonlySet<string>,
): PackageManager | undefined {
  const name = wanted.find((candidate) => tools.has(candidate));
  return name === undefined ? undefined : managers[name];
}
