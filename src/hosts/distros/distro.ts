import type { PackageManagerName } from '../packages/package-manager.ts';

/** What differs from one distribution to the next, as data. */
export interface Distro {
  /** Name for people. */
  readonly name: string;
  /** ID of os-release(5), in small letters; several where a vendor changed it. */
  readonly ids: readonly string[];
  /**
   * Releases that the guides or their makers name, as VERSION_ID of os-release(5) begins, oldest first; later ones than the last are
   * fine, too. None where releases have no number.
   */
  readonly releases: readonly string[];
  /** In the order of preference; the first one that is on the host is taken. */
  readonly packageManagers: readonly PackageManagerName[];
  /** Package, or path of a file in a package, that brings a tool. */
  readonly toolPackages: Readonly<Record<string, string>>;
  /** Tools that hosts of it must have beside those of all. */
  readonly moreTools?: readonly string[];
  readonly chrony: { readonly package: string; readonly unit: string; readonly config: string };
  /** What upgrades packages by itself, where it is there. */
  readonly upgradeUnits: readonly string[];
  /** What must be known of it, one sentence each, with where it comes from. */
  readonly quirks: readonly string[];
}
