import { InstallerError } from '../../errors.ts';
import { collect, fetchSmall, unexpected, unpacked, verified, type Expected } from '../content.ts';
import { readPublicKeys, unsigned, verifyDetached } from '../openpgp.ts';
import type { Fetch, RpmRepository } from '../types.ts';
import { packageElements, readXml } from './elements.ts';
import { createPackageReader, type RpmPackage } from './primary.ts';
import { parseRepomd, type RepomdData } from './repomd.ts';

/** What of a repository fits an architecture, and its files for what is asked later. */
export interface LoadedRpmRepository {
  readonly packages: readonly RpmPackage[];
  readonly warnings: readonly string[];
  /** URL of a package's file. */
  urlOf(item: RpmPackage): string;
  /** `package` elements of primary.xml, as they stand there, by digest. */
  entries(digests: ReadonlySet<string>): Promise<ReadonlyMap<string, string>>;
  /** Digests of the packages that have one of the files, by path; fetches filelists.xml. */
  owners(paths: ReadonlySet<string>): Promise<ReadonlyMap<string, readonly string[]>>;
}

/** What no source says; packages of module streams, which only a host that has the stream enabled may install, are left out. */
const modularRelease = /\.module[_+]/;

/**
 * Fetches repomd.xml, proves it, and reads primary.xml as a stream. Only what the closure asks is kept of a package; the
 * packed file stays in memory, to take the entries of the chosen packages from it word for word.
 */
export async function loadRpmRepository(
  fetch: Fetch,
  repository: RpmRepository,
  baseArchitecture: string,
  nowMs: number,
): Promise<LoadedRpmRepository> {
  const base = repository.url.replace(/\/+$/, '');
  const repomdUrl = `${base}/repodata/repomd.xml`;
  const warnings: string[] = [];
  const data = await loadRepomd(fetch, repomdUrl, repository, nowMs, warnings);
  const primary = await fetchData(fetch, base, data, 'primary');
  const read = createPackageReader();
  const packages: RpmPackage[] = [];
  const wantedArchitectures = [baseArchitecture, 'noarch'];
  await eachElement(primary, (element) => {
    const item = read(element);
    if (wantedArchitectures.includes(item.architecture) && !modularRelease.test(item.evr.release)) packages.push(item);
  });
  let filelists: Promise<Fetched> | undefined;
  return {
    packages,
    warnings,
    urlOf: (item) => new URL(item.href, `${item.base ?? base}/`.replace(/\/+$/, '/')).href,
    async entries(digests) {
      const found = new Map<string, string>();
      await eachElement(primary, (element) => {
        const digest = /<checksum\b[^>]*>\s*([0-9a-fA-F]+)\s*<\/checksum>/.exec(element)?.[1]?.toLowerCase();
        if (digest !== undefined && digests.has(digest)) found.set(digest, element);
      });
      return found;
    },
    async owners(paths) {
      filelists ??= fetchData(fetch, base, data, 'filelists');
      const found = new Map<string, string[]>();
      await eachElement(await filelists, (element) => {
        for (const path of filesAmong(element, paths)) {
          const digest = /\bpkgid="([0-9a-fA-F]+)"/.exec(element)?.[1]?.toLowerCase();
          if (digest !== undefined) found.set(path, [...(found.get(path) ?? []), digest]);
        }
      });
      return found;
    },
  };
}

/** Packed content that has proven to be what repomd.xml says. */
interface Fetched {
  readonly packed: Buffer;
  readonly url: string;
}

async function loadRepomd(
  fetch: Fetch,
  url: string,
  { trust }: RpmRepository,
  nowMs: number,
  warnings: string[],
): Promise<Map<string, RepomdData>> {
  const content = await fetchSmall(fetch, url);
  if (content === undefined) {
    throw new InstallerError({
      code: 'REPOSITORY_NOT_FOUND',
      message: `there is no rpm repository at ${url.replace('/repodata/repomd.xml', '')}: repodata/repomd.xml is not there`,
      remedy: 'correct the URL: it is the folder in which repodata lies',
    });
  }
  if (trust.signatures !== 'never') {
    const signature = await fetchSmall(fetch, `${url}.asc`);
    if (signature !== undefined) {
      const keys = await readPublicKeys(trust.keys);
      await verifyDetached(content, signature.toString('utf8'), keys, { url, nowMs });
    } else if (trust.signatures === 'required') {
      throw unsigned(url);
    } else {
      warnings.push(`${url} carries no signature: that its packages are the distribution's is shown by their own only`);
    }
  }
  try {
    return parseRepomd(content.toString('utf8'));
  } catch (error) {
    throw unexpected(url, `it is no XML (${error instanceof Error ? error.message.trim() : String(error)})`);
  }
}

async function fetchData(
  fetch: Fetch,
  base: string,
  data: ReadonlyMap<string, RepomdData>,
  type: string,
): Promise<Fetched> {
  const entry = data.get(type);
  const url = new URL(entry?.href ?? `repodata/${type}`, `${base}/`).href;
  const source = entry === undefined ? undefined : await fetch(url);
  if (entry === undefined || source === undefined) {
    throw new InstallerError({
      code: 'REPOSITORY_INCOMPLETE',
      message: `${url} cannot be fetched`,
      remedy: 'use another mirror of the repository',
    });
  }
  if (entry.algorithm !== 'sha256' && entry.algorithm !== 'sha512') {
    throw new InstallerError({
      code: 'REPOSITORY_WEAK_DIGEST',
      message: `${base}/repodata/repomd.xml gives ${entry.algorithm || 'no'} digests, which prove nothing`,
      remedy: 'use a repository with sha256 digests',
    });
  }
  const { algorithm, digest, sizeBytes } = entry;
  const expected: Expected = { url, algorithm, digest, sizeBytes };
  return { packed: await collect(verified(source, expected), sizeBytes), url };
}

async function eachElement({ packed, url }: Fetched, visit: (element: string) => void): Promise<void> {
  try {
    for await (const element of packageElements(unpacked(slices(packed), url))) visit(element);
  } catch (error) {
    if (error instanceof InstallerError) throw error;
    throw unexpected(url, error instanceof Error ? error.message.trim() : String(error));
  }
}

// eslint-disable-next-line @typescript-eslint/require-await -- what is in memory is read like what comes in
async function* slices(content: Buffer): AsyncGenerator<Uint8Array> {
  const step = 1 << 18;
  for (let at = 0; at < content.length; at += step) yield content.subarray(at, at + step);
}

/** Most packages have none of the files: only those whose text names one are parsed. */
function filesAmong(element: string, paths: ReadonlySet<string>): string[] {
  if (![...paths].some((path) => element.includes(`>${path}<`))) return [];
  const found: string[] = [];
  readXml(element, {
    text(text, parents) {
      if (parents.at(-1) === 'file' && paths.has(text)) found.push(text);
    },
  });
  return found;
}
