import { findDistro, type Distro } from '../hosts/distros/index.ts';
import { choosePackageManager, packageManagerNames, type PackageManager } from '../hosts/packages/index.ts';
import type { Member } from './cluster.ts';

/** What is known of a host's distribution; undefined where its os-release names none that is. */
export function distroOf(member: Member): Distro | undefined {
  return findDistro(member.facts.os);
}

/** The package manager of a host; on a distribution that is not known, whichever is there. */
export function packageManagerOf(member: Member): PackageManager | undefined {
  return choosePackageManager(distroOf(member)?.packageManagers ?? packageManagerNames, member.facts.tools);
}
