import { InstallerError } from '../../errors.ts';
import { collect, fetchSmall, unexpected, unpacked, verified } from '../content.ts';
import { readClearsigned, readPublicKeys, unsigned, verifyClearsigned, verifyDetached } from '../openpgp.ts';
import type { AptRepository, Fetch } from '../types.ts';
import { parseRelease, type Release } from './release.ts';

/** The text of one Packages file. */
export interface LoadedPackages {
  readonly text: Buffer;
  readonly repositoryUrl: string;
}

export interface LoadedRepository {
  readonly files: readonly LoadedPackages[];
  readonly warnings: readonly string[];
}

/** Endings by the time they take: few bytes on the line first. */
const endings = ['.xz', '.gz', ''];

/**
 * Fetches a repository's Packages files for an architecture. The chain is unbroken: a trusted key signed the Release file, the
 * Release file has the digest of each index, an index that of each package.
 */
export async function loadAptRepository(
  fetch: Fetch,
  repository: AptRepository,
  architecture: string,
  nowMs: number,
): Promise<LoadedRepository> {
  const base = repository.url.replace(/\/+$/, '');
  const folder = `${base}/dists/${repository.suite}`;
  const warnings: string[] = [];
  const release = parseRelease(await loadRelease(fetch, folder, repository, nowMs, warnings));
  checkRelease(release, folder, repository, nowMs);
  const architectures = release.hasIndexForAll ? [architecture, 'all'] : [architecture];
  const wanted = repository.components.flatMap((component) =>
    architectures.map((name) => `${component}/binary-${name}/Packages`),
  );
  const texts = await Promise.all(wanted.map((path) => loadIndex(fetch, folder, release, path, architecture)));
  const files = texts.flatMap((text) => (text === undefined ? [] : [{ text, repositoryUrl: base }]));
  return { files, warnings };
}

async function loadRelease(
  fetch: Fetch,
  folder: string,
  { trust }: AptRepository,
  nowMs: number,
  warnings: string[],
): Promise<string> {
  const keys = await readPublicKeys(trust.keys);
  const inReleaseUrl = `${folder}/InRelease`;
  const inRelease = await fetchSmall(fetch, inReleaseUrl);
  if (inRelease !== undefined) {
    const text = inRelease.toString('utf8');
    if (trust.signatures === 'never') return readClearsigned(text);
    return verifyClearsigned(text, keys, { url: inReleaseUrl, nowMs });
  }
  const url = `${folder}/Release`;
  const release = await fetchSmall(fetch, url);
  if (release === undefined) {
    throw new InstallerError({
      code: 'REPOSITORY_NOT_FOUND',
      message: `there is no apt repository at ${folder}: neither InRelease nor Release is there`,
      remedy: 'correct the URL or the suite of the repository',
    });
  }
  if (trust.signatures === 'never') return release.toString('utf8');
  const signature = await fetchSmall(fetch, `${url}.gpg`);
  if (signature !== undefined) {
    await verifyDetached(release, signature.toString('utf8'), keys, { url, nowMs });
  } else if (trust.signatures === 'required') {
    throw unsigned(url);
  } else {
    warnings.push(`${url} carries no signature`);
  }
  return release.toString('utf8');
}

function checkRelease(release: Release, folder: string, repository: AptRepository, nowMs: number): void {
  if (release.validUntilMs !== undefined && release.validUntilMs < nowMs) {
    throw new InstallerError({
      code: 'REPOSITORY_EXPIRED',
      message: `${folder} was to be used until ${new Date(release.validUntilMs).toISOString()} only`,
      remedy: 'use a mirror that is kept up to date; an old index hides security updates',
    });
  }
  // A signed Release of another suite would be a good signature over the wrong packages.
  const suite = repository.suite.split('/')[0];
  const names = [release.codename, release.suite].filter((name) => name !== undefined);
  if (names.length > 0 && !names.some((name) => name.split('/')[0] === suite)) {
    throw unexpected(folder, `it is of ${names.join(', ')}, not of ${repository.suite}`);
  }
}

/** Undefined where the repository has nothing of the component for the architecture `all`. */
async function loadIndex(
  fetch: Fetch,
  folder: string,
  release: Release,
  path: string,
  architecture: string,
): Promise<Buffer | undefined> {
  const listed = endings.filter((ending) => release.files.has(`${path}${ending}`));
  for (const ending of listed) {
    const { sha256, sizeBytes } = release.files.get(`${path}${ending}`) ?? { sha256: '', sizeBytes: 0 };
    const byHash = `${folder}/${path.slice(0, path.lastIndexOf('/'))}/by-hash/SHA256/${sha256}`;
    const url = `${folder}/${path}${ending}`;
    // By hash, an update of the mirror between two requests does no harm.
    const source = (release.acquireByHash ? await fetch(byHash) : undefined) ?? (await fetch(url));
    if (source === undefined) continue;
    const packed = verified(source, { url, algorithm: 'sha256', digest: sha256, sizeBytes });
    return collect(unpacked(packed, url), release.files.get(path)?.sizeBytes);
  }
  if (listed.length === 0 && path.endsWith('binary-all/Packages')) return undefined;
  throw new InstallerError({
    code: 'REPOSITORY_INCOMPLETE',
    message:
      listed.length === 0
        ? `${folder} has no packages of ${path.split('/')[0] ?? ''} for ${architecture}`
        : `${folder}/${path} is named in its Release file and cannot be fetched in any form`,
    remedy: 'correct component and architecture of the repository, or use another mirror',
  });
}
