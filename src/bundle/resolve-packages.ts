import { mirrorUrl } from '../artifacts/mirror.ts';
import type { Architecture } from '../artifacts/catalog.ts';
import { readNamedBytes } from '../artifacts/load-catalogs.ts';
import { InstallerError } from '../errors.ts';
import { mapConcurrent } from '../lib/concurrency.ts';
import type { WebFiles } from '../oci/web-files.ts';
import { loadPackageCatalogs, packageRequest, type PackageCatalog, type PackageQuestion } from '../packages/catalog.ts';
import { readPublicKeys } from '../packages/openpgp.ts';
import { resolvePackages } from '../packages/resolve.ts';
import { openRepositoryKey } from '../packages/signing.ts';
import type { Fetch, PackageRequest, ResolvedPackage, Trust } from '../packages/types.ts';
import type { ClusterConfig, OsDistribution, OsRepository } from '../spec/config.ts';
import { bundleUsage } from './bundle-errors.ts';
import type { BundleItem, Pin } from './manifest.ts';
import { indexItems, packageItems, type FoundPackages } from './package-items.ts';
import { namedPackages } from './package-needs.ts';
import { repositoryName } from './package-places.ts';
import { fileSource } from './sources.ts';
import { valuesOf } from './values-of.ts';
import type { BlobSource } from './write-bundle.ts';

export interface ResolvePackagesOptions {
  readonly config: ClusterConfig;
  readonly architectures: readonly Architecture[];
  /** OpenPGP private key, armored, that signs the indexes. */
  readonly repositoryKey?: string | undefined;
  readonly onNote: (message: string) => void;
  readonly signal?: AbortSignal | undefined;
  readonly nowMs: number;
}

/** Indexes of a large distribution take some 50 MB while they are looked at. Those of one release are fetched in parallel. */
const setsAtOnce = 1;

/**
 * The packages of every distribution of the cluster file with all that they depend on, and the indexes of their repositories. Fetches
 * indexes only, each verified. Errors of all distributions together: PACKAGES_*, REPOSITORY_*, FILE_UNREADABLE.
 */
export async function resolveBundlePackages(
  web: WebFiles,
  options: ResolvePackagesOptions,
): Promise<readonly { readonly item: BundleItem; readonly source: BlobSource }[]> {
  const { config, architectures, repositoryKey, onNote, signal } = options;
  const { mirrors } = config.spec.artifacts;
  const key = repositoryKey === undefined ? undefined : await openRepositoryKey(repositoryKey);
  const catalogs = loadPackageCatalogs();
  const fetch: Fetch = (url) => web.read(mirrorUrl(url, mirrors), { signal });
  const questions = config.spec.osPackages.distributions.flatMap((distribution) =>
    architectures.map((architecture) => ({ distribution, architecture })),
  );
  const results = await mapConcurrent(
    questions,
    setsAtOnce,
    ({ distribution, architecture }) => find(fetch, catalogs, distribution, architecture, options),
    signal,
  );
  const found = valuesOf(results);
  for (const { distribution, architecture, set } of found) {
    onNote(`${repositoryName(distribution, architecture)}: ${set.packages.length} packages`);
    for (const warning of set.warnings) onNote(warning);
  }
  if (key === undefined) {
    onNote('indexes of the package repositories are not signed: give --repository-key, or serve them over TLS only');
  }
  const packages = packageItems(found).map(({ item, url }) => ({
    item,
    source: fileSource({ item, url: mirrorUrl(url, mirrors) }, web),
  }));
  return [...packages, ...(await indexItems(found, key))];
}

async function find(
  fetch: Fetch,
  catalogs: readonly PackageCatalog[],
  distribution: OsDistribution,
  architecture: Architecture,
  { config, nowMs }: ResolvePackagesOptions,
): Promise<FoundPackages> {
  const { id, version, groups } = distribution;
  const askers = askersOf(config, catalogs, distribution);
  const trusts = await Promise.all(distribution.repositories.map((repository) => trustOf(repository, distribution)));
  const own = await trustOf({ allowUnsigned: false }, distribution);
  const given = distribution.repositories.map((repository, index) => ({ ...repository, trust: trusts[index] ?? own }));
  const question: PackageQuestion = {
    ...{ id, versionId: version, architecture, groups, nowMs, trust: own },
    names: [...askers.keys()],
    ...(given.length === 0 ? {} : { repositories: repositoriesOf(given) }),
  };
  const request = packageRequest(catalogs, question);
  refuseOtherFamily(request, distribution);
  const set = await resolvePackages(fetch, request).catch((error: unknown) => {
    throw withAskers(error, askers, repositoryName(distribution, architecture));
  });
  const keys = await readPublicKeys([...new Set([own, ...trusts].flatMap((trust) => trust.keys))]);
  return {
    ...{ distribution, architecture, set, askers },
    pinOf: (item) => pinOf(item, distribution.repositories, request),
    vendorKeys: [...new Set(keys.map((one) => one.armor()))],
  };
}

/** Every name that is asked for, and who asks. */
function askersOf(
  config: ClusterConfig,
  catalogs: readonly PackageCatalog[],
  distribution: OsDistribution,
): ReadonlyMap<string, readonly string[]> {
  const catalog = catalogs.find(({ spec }) => spec.distributions.includes(distribution.id))?.spec;
  const asked = [
    ...namedPackages(config, distribution),
    ...distribution.groups.flatMap((group) =>
      (catalog?.groups[group] ?? []).map((name) => ({ name, namedBy: `the group ${group} of spec.osPackages` })),
    ),
    ...distribution.packages.map((name) => ({ name, namedBy: 'spec.osPackages' })),
  ];
  const byName = Map.groupBy(asked, ({ name }) => name);
  return new Map([...byName].map(([name, list]) => [name, list.map(({ namedBy }) => `asked for by ${namedBy}`)]));
}

async function trustOf(
  { keyFile, allowUnsigned }: Pick<OsRepository, 'keyFile' | 'allowUnsigned'>,
  distribution: OsDistribution,
): Promise<Trust> {
  const file = keyFile ?? distribution.keyFile;
  if (file === undefined) return { keys: [], signatures: allowUnsigned ? 'never' : 'required' };
  const key = await readNamedBytes(file, `key of a package repository of ${distribution.id} ${distribution.version}`);
  return { keys: [key], signatures: allowUnsigned ? 'if-present' : 'required' };
}

function repositoriesOf(
  given: readonly (OsRepository & { readonly trust: Trust })[],
): NonNullable<PackageQuestion['repositories']> {
  if (given.every(({ suites }) => suites.length === 0)) return { rpm: given.map(({ url, trust }) => ({ url, trust })) };
  return {
    apt: given.flatMap(({ url, suites, components, trust }) =>
      suites.map((suite) => ({ url, suite, components, trust })),
    ),
  };
}

function refuseOtherFamily(request: PackageRequest, { id, version, repositories }: OsDistribution): void {
  const isApt = repositories.some(({ suites }) => suites.length > 0);
  if (repositories.length === 0 || isApt === (request.family === 'apt')) return;
  throw bundleUsage(
    'PACKAGES_FAMILY',
    `${id} ${version} has packages of ${request.family}, and its repositories under spec.osPackages are of ${isApt ? 'apt' : 'rpm'}`,
    'suites and components are for apt alone',
  );
}

/** An unsigned index vouches for nothing: what it names is as its publisher says. */
function pinOf(item: ResolvedPackage, repositories: readonly OsRepository[], request: PackageRequest): Pin {
  const unproven = repositories.filter(({ allowUnsigned }) => allowUnsigned);
  if (unproven.length === 0) return 'signed';
  const bases = request.repositories.map(({ url }) => url.split('$')[0] ?? url);
  const base = bases.filter((url) => item.url.startsWith(url)).toSorted((a, b) => b.length - a.length)[0];
  const isProven = base !== undefined && !unproven.some(({ url }) => (url.split('$')[0] ?? url) === base);
  return isProven ? 'signed' : 'published';
}

/** Says beside each name that cannot be had where it stands. */
function withAskers(error: unknown, askers: ReadonlyMap<string, readonly string[]>, repository: string): unknown {
  if (!(error instanceof InstallerError) || error.code !== 'PACKAGES_UNRESOLVED') return error;
  return new InstallerError({
    code: error.code,
    message: `${repository}: ${error.message}`,
    remedy: error.remedy,
    exitCode: error.exitCode,
    details: error.details.map((detail) => {
      const name = /^(.*), requested$/.exec(detail)?.[1];
      const who = name === undefined ? undefined : askers.get(name);
      return name === undefined || who === undefined ? detail : `${name}, ${who.join(', and ')}`;
    }),
  });
}
