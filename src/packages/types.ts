/**
 * Opens what stands at a URL and yields its bytes; undefined where the server says that there is no such file. Retries,
 * mirrors, proxies and the cache are its own matter. Any other failure is thrown.
 */
export type Fetch = (url: string) => Promise<AsyncIterable<Uint8Array> | undefined>;

/** How the index of a repository is proven to be its owner's. */
export interface Trust {
  /** OpenPGP public keys, armored or binary; several keys in one are all trusted. */
  readonly keys: readonly (string | Uint8Array)[];
  /**
   * `required`: an index without a good signature by one of the keys is refused. `if-present`: one without any is taken,
   * as dnf does by default, and the result says so. `never`: signatures are not looked at.
   */
  readonly signatures: 'required' | 'if-present' | 'never';
}

/** A repository as apt knows it: `deb URL SUITE COMPONENTS`. */
export interface AptRepository {
  readonly url: string;
  readonly suite: string;
  readonly components: readonly string[];
  readonly trust: Trust;
}

/** A repository as dnf and zypper know it: the folder that holds `repodata`. */
export interface RpmRepository {
  readonly url: string;
  readonly trust: Trust;
}

interface RequestBase {
  /** The architecture as Debian and Go name it. */
  readonly architecture: 'amd64' | 'arm64';
  /** What is asked for: names of packages, or what packages provide. */
  readonly names: readonly string[];
  /** Milliseconds since the epoch: what counts as expired. */
  readonly nowMs: number;
}

/** What is wanted for one distribution, release and architecture. `$releasever` and `$basearch` in URLs are filled in. */
export type PackageRequest = RequestBase &
  (
    | { readonly family: 'apt'; readonly repositories: readonly AptRepository[] }
    | { readonly family: 'rpm'; readonly release: string; readonly repositories: readonly RpmRepository[] }
  );

/** One package of the closure: where it is, what its bytes have to be, and its entry in a repository's index. */
export interface ResolvedPackage {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  /** Name of the file in an offline repository. */
  readonly filename: string;
  readonly url: string;
  readonly sizeBytes: number;
  /** Lowercase hex. */
  readonly sha256: string;
  /** Why it is there: `requested`, or the package that needs it and what it asked for. */
  readonly reason: string;
  /** The names of the request that it is the answer to; empty for what only others need. */
  readonly requestedAs: readonly string[];
  /** Its stanza of Packages, or its `package` element of primary.xml, as the source repository has it. */
  readonly entry: string;
  /** Files that others of the set depend on, and that the entry does not name (rpm). */
  readonly files?: readonly string[];
}

export interface PackageSet {
  readonly family: 'apt' | 'rpm';
  readonly architecture: PackageRequest['architecture'];
  /** By name, then version. */
  readonly packages: readonly ResolvedPackage[];
  /** What a person should know, such as an index without a signature. */
  readonly warnings: readonly string[];
}

/** A file of a generated repository. */
export interface RepositoryFile {
  /** Below the repository's folder. */
  readonly path: string;
  readonly content: Buffer;
}
