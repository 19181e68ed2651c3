import type { Action } from '../../ops/action.ts';
import type { PackagesCommands, RemovalCommands } from '../../ops/record.ts';

export const packageManagerNames = ['apt-get', 'dnf', 'yum', 'zypper'] as const;
export type PackageManagerName = (typeof packageManagerNames)[number];

/** How packages are handled, as argument lists; none of them asks anything. */
export interface PackageManager {
  readonly name: PackageManagerName;
  readonly record: PackagesCommands;
  /** How packages that were there before are removed, and come back. */
  readonly removal: RemovalCommands;
  /** Where it looks for repositories: the installer's own file, the folder of all, and files beside the folder. */
  readonly repositories: { readonly file: string; readonly folder: string; readonly more: readonly string[] };
  /** Environment of refresh, install and remove. */
  readonly env: Readonly<Record<string, string>>;
  /** Prints the names, of those given, that are installed, a line each; whatever its exit status. */
  findInstalled(names: readonly string[]): readonly string[];
  /** Brings the index of the repositories up to date. */
  readonly refresh: readonly string[];
  install(names: readonly string[]): readonly string[];
  /** What `install` takes for a package in the version that `removal.find` printed. */
  atVersion(name: string, version: string): string;
  /** Absent where the installation itself refuses to take packages away. */
  readonly rehearsal?: Rehearsal;
  /** Removes packages that the installer brought with their configuration, and nothing besides. */
  remove(names: readonly string[]): readonly string[];
}

/** An installation that is tried out without being done. */
export interface Rehearsal {
  /** Says what an installation would do. */
  try(names: readonly string[]): readonly string[];
  /** For sed -n: prints, of what that says, the names of packages that it would take away or make older. */
  readonly removed: string;
  /** For grep: a line that is said only where it is known what would be done. */
  readonly proof: string;
}

/** How packages come to a host. */
export interface PackageSource {
  readonly manager: PackageManager;
  /** Done before it installs. */
  prepare(): readonly Action[];
  /** Done when it has installed: what `prepare` laid down goes. */
  readonly finish: readonly Action[];
}
