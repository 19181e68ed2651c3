/** What packages of a distribution are for: one list of names each, in offline/packages/. */
export const packageGroups = ['base', 'chrony', 'iscsi', 'load-balancer', 'nfs', 'xfs'] as const;
export type PackageGroup = (typeof packageGroups)[number];

/** spec.osPackages: which packages of which distributions a bundle holds. */
export interface OsPackagesConfig {
  readonly distributions: readonly OsDistribution[];
}

/** One release of a distribution, and where its packages come from. */
export interface OsDistribution {
  /** ID and VERSION_ID of os-release(5). */
  readonly id: string;
  readonly version: string;
  /** Empty: those of the vendor that offline/packages/ names. */
  readonly repositories: readonly OsRepository[];
  /** Absolute path of the public key of repositories that name none. */
  readonly keyFile?: string;
  readonly groups: readonly PackageGroup[];
  /** Beside those of the groups and those that hosts are told to install. */
  readonly packages: readonly string[];
}

/** A repository that packages are taken from when a bundle is made. */
export interface OsRepository {
  /** Without a slash at its end; $releasever and $basearch are filled in for rpm. */
  readonly url: string;
  /** For apt only. */
  readonly suites: readonly string[];
  readonly components: readonly string[];
  /** Absolute path of the public key that signs its index. */
  readonly keyFile?: string;
  /** Taken without a signature of its index, too. */
  readonly allowUnsigned: boolean;
}
