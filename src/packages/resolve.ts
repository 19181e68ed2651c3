import { InstallerError, InternalError } from '../errors.ts';
import { closureOf } from './apt/closure.ts';
import { loadAptRepository } from './apt/load.ts';
import { release } from './content.ts';
import { indexPackages } from './apt/packages-index.ts';
import { closureOfRpms, type ChosenRpm, type RpmClosure } from './rpm/closure.ts';
import { loadRpmRepository, type LoadedRpmRepository } from './rpm/load.ts';
import { indexRpms, type RpmIndex } from './rpm/rpm-index.ts';
import { formatEvr } from './rpm/version.ts';
import type { Fetch, PackageRequest, PackageSet, ResolvedPackage } from './types.ts';

/** rpm's names of the architectures. */
const rpmArchitectures = { amd64: 'x86_64', arm64: 'aarch64' } as const;

/**
 * Finds the packages that a host without any needs for the names, with where they are and what their bytes have to be. Fetches
 * only indexes. Throws PACKAGES_UNRESOLVED with every dependency that nothing satisfies, and REPOSITORY_* where an index is
 * missing, is not signed by a trusted key, or is not what the one above it says.
 */
export async function resolvePackages(fetch: Fetch, request: PackageRequest): Promise<PackageSet> {
  const { packages, warnings } =
    request.family === 'apt' ? await resolveApt(fetch, request) : await resolveRpm(fetch, request);
  const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
  return {
    family: request.family,
    architecture: request.architecture,
    packages: packages.sort((a, b) => compare(a.name, b.name) || compare(a.version, b.version)),
    warnings,
  };
}

interface Resolved {
  readonly packages: ResolvedPackage[];
  readonly warnings: readonly string[];
}

async function resolveApt(fetch: Fetch, request: PackageRequest & { family: 'apt' }): Promise<Resolved> {
  const { architecture, nowMs, names } = request;
  const loaded = await Promise.all(
    request.repositories.map((repository) => loadAptRepository(fetch, repository, architecture, nowMs)),
  );
  const index = indexPackages(loaded.flatMap(({ files }) => files));
  const { chosen, answers, unmet } = closureOf(index, names, architecture);
  const asked = namesByAnswer(answers);
  refuseUnmet(unmet, request.repositories);
  const packages = chosen.map(({ package: item, reason }) => {
    const file = item.path.slice(item.path.lastIndexOf('/') + 1);
    if (!/^[0-9a-f]{64}$/.test(item.sha256) || !Number.isInteger(item.sizeBytes) || file === '') {
      throw noDigest(`${item.name} ${item.version}`, item.repositoryUrl);
    }
    return {
      name: item.name,
      version: item.version,
      architecture: item.architecture,
      filename: file,
      // Object stores take a plus sign for a blank; apt encodes it too.
      url: `${item.repositoryUrl}/${item.path.split('/').map(encodeURIComponent).join('/')}`,
      sizeBytes: item.sizeBytes,
      sha256: item.sha256,
      reason,
      requestedAs: asked.get(item) ?? [],
      entry: item.stanza,
    };
  });
  for (const { text } of loaded.flatMap(({ files }) => files)) release(text);
  return { packages, warnings: loaded.flatMap(({ warnings }) => warnings) };
}

async function resolveRpm(fetch: Fetch, request: PackageRequest & { family: 'rpm' }): Promise<Resolved> {
  const baseArchitecture = rpmArchitectures[request.architecture];
  const repositories = request.repositories.map((repository) => ({
    ...repository,
    url: repository.url.replaceAll('$releasever', request.release).replaceAll('$basearch', baseArchitecture),
  }));
  const loaded = await Promise.all(
    repositories.map((repository) => loadRpmRepository(fetch, repository, baseArchitecture, request.nowMs)),
  );
  const index = indexRpms(
    loaded.flatMap(({ packages }, repository) => packages.map((item) => ({ ...item, repository }))),
  );
  const { closure, files } = await closureWithFiles(index, request.names, loaded);
  refuseUnmet(closure.unmet, repositories);
  const asked = namesByAnswer(closure.answers);
  const packages = await Promise.all(
    loaded.map(async (repository, number) => {
      const mine = closure.chosen.filter(({ package: item }) => item.repository === number);
      return describeRpms(repository, mine, asked, files);
    }),
  );
  return { packages: packages.flat(), warnings: loaded.flatMap(({ warnings }) => warnings) };
}

/** The large filelists are fetched only where something asks for a file that primary.xml does not name. */
async function closureWithFiles(
  index: RpmIndex,
  names: readonly string[],
  loaded: readonly LoadedRpmRepository[],
): Promise<{ readonly closure: RpmClosure; readonly files: ReadonlyMap<string, readonly string[]> }> {
  const asked = new Set<string>();
  const files = new Map<string, string[]>();
  for (;;) {
    const closure = closureOfRpms(index, names);
    // A file may also stand inside an expression: every path in the text is looked for.
    const paths = closure.unmet.flatMap(({ wanted }) => wanted.match(/(?<=^|[\s(])\/[^\s()]+/g) ?? []);
    const missing = new Set(paths.filter((path) => !asked.has(path)));
    if (missing.size === 0) return { closure, files };
    for (const path of missing) asked.add(path);
    for (const repository of loaded) {
      for (const [path, digests] of await repository.owners(missing)) {
        for (const digest of digests) {
          index.addFile(digest, path);
          files.set(digest, [...(files.get(digest) ?? []), path]);
        }
      }
    }
  }
}

async function describeRpms(
  repository: LoadedRpmRepository,
  chosen: readonly ChosenRpm[],
  asked: ReadonlyMap<unknown, readonly string[]>,
  files: ReadonlyMap<string, readonly string[]>,
): Promise<ResolvedPackage[]> {
  if (chosen.length === 0) return [];
  const entries = await repository.entries(new Set(chosen.map(({ package: item }) => item.digest)));
  return chosen.map(({ package: item, reason }) => {
    const entry = entries.get(item.digest);
    if (entry === undefined) throw new InternalError(`${item.name} was read from primary.xml and is not in it`);
    if (item.algorithm !== 'sha256' || !Number.isInteger(item.sizeBytes)) {
      throw noDigest(`${item.name} ${formatEvr(item.evr)}`, repository.urlOf(item));
    }
    const known = files.get(item.digest);
    return {
      name: item.name,
      version: formatEvr(item.evr),
      architecture: item.architecture,
      filename: item.href.slice(item.href.lastIndexOf('/') + 1),
      url: repository.urlOf(item),
      sizeBytes: item.sizeBytes,
      sha256: item.digest,
      reason,
      requestedAs: asked.get(item) ?? [],
      entry,
      ...(known === undefined ? {} : { files: known }),
    };
  });
}

/** The names that each package is the answer to. */
function namesByAnswer<T>(answers: ReadonlyMap<string, T>): Map<T, string[]> {
  const names = new Map<T, string[]>();
  for (const [name, item] of answers) names.set(item, [...(names.get(item) ?? []), name]);
  return names;
}

function refuseUnmet(
  unmet: readonly { readonly wanted: string; readonly by: string }[],
  repositories: readonly { readonly url: string }[],
): void {
  if (unmet.length === 0) return;
  throw new InstallerError({
    code: 'PACKAGES_UNRESOLVED',
    message: `${unmet.length === 1 ? '1 dependency' : `${unmet.length} dependencies`} of the packages cannot be satisfied from ${repositories.map(({ url }) => url).join(', ')}`,
    remedy: 'correct the names, or add the repository that has what is missing',
    details: unmet.map(({ wanted, by }) => `${wanted}, ${by === 'requested' ? by : `needed by ${by}`}`),
  });
}

function noDigest(what: string, where: string): InstallerError {
  return new InstallerError({
    code: 'REPOSITORY_WEAK_DIGEST',
    message: `the index of ${where} gives no sha256 for ${what}`,
    remedy: 'use a repository whose index has sha256 digests',
  });
}
