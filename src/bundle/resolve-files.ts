import { mirrorUrl } from '../artifacts/mirror.ts';
import { mapConcurrent } from '../lib/concurrency.ts';
import type { WebFiles } from '../oci/web-files.ts';
import { bundleError } from './bundle-errors.ts';
import type { BundleItem } from './manifest.ts';
import { valuesOf } from './values-of.ts';
import { formatFile, type WantedFile } from './wanted.ts';

/** A file, and where it is fetched from. */
export interface ResolvedFile {
  readonly item: BundleItem;
  readonly url: string;
}

export interface ResolveFilesOptions {
  /** spec.artifacts.mirrors. */
  readonly mirrors: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
}

const filesAtOnce = 16;

/**
 * Asks for the size of every file, and for the published checksum where none is pinned: then everything is known before the first
 * byte is fetched. Errors of all files together: BUNDLE_NO_CHECKSUM, WEB_FILE_NOT_FOUND.
 */
export async function resolveFiles(
  web: WebFiles,
  wanted: readonly WantedFile[],
  { mirrors, signal }: ResolveFilesOptions,
): Promise<readonly ResolvedFile[]> {
  const results = await mapConcurrent(
    wanted,
    filesAtOnce,
    async (file): Promise<ResolvedFile> => {
      const url = mirrorUrl(file.url, mirrors);
      const [sizeBytes, sha256] = await Promise.all([
        web.size(url, { signal }),
        file.sha256 ?? publishedChecksum(web, file, mirrors, signal),
      ]);
      const digest = `sha256:${sha256}` as const;
      const item: BundleItem = {
        kind: file.kind,
        name: file.name,
        ...(file.version === undefined ? {} : { version: file.version }),
        platforms: file.platform === undefined ? [] : [file.platform],
        why: file.why,
        digest,
        sizeBytes,
        origin: file.url,
        pin: file.sha256 === undefined ? 'published' : (file.pinnedBy ?? 'catalog'),
        ...(file.checksumUrl === undefined ? {} : { checksumUrl: file.checksumUrl }),
        blobs: [digest],
      };
      return { item, url };
    },
    signal,
  );
  return valuesOf(results);
}

async function publishedChecksum(
  web: WebFiles,
  file: WantedFile,
  mirrors: Readonly<Record<string, string>>,
  signal: AbortSignal | undefined,
): Promise<string> {
  const { url, checksumUrl = `${url}.sha256` } = file;
  const from = mirrorUrl(checksumUrl, mirrors);
  const text = await web.readText(from, { signal });
  const found = text === undefined ? undefined : findChecksum(text, fileNameOf(url));
  if (found !== undefined) return found;
  throw bundleError(
    'NO_CHECKSUM',
    `nobody says what ${formatFile(file)} should be: ${from} ${text === undefined ? 'is not there' : 'holds no SHA-256 of it'}`,
    'pin its checksum in a catalog under spec.artifacts.catalogs',
  );
}

/** The SHA-256 for a file in a published text: a checksum alone, or lines of checksum and file name. Pure. */
export function findChecksum(text: string, fileName: string): string | undefined {
  const lines = text.split('\n').map((line) => line.trim().split(/\s+/));
  const named = lines.find(
    ([sum = '', name]) => isSha256(sum) && name !== undefined && name.replace(/^\*/, '').split('/').at(-1) === fileName,
  );
  const [first] = lines;
  const alone = first?.length === 1 && isSha256(first[0] ?? '') ? first : undefined;
  return (named ?? alone)?.[0]?.toLowerCase();
}

function isSha256(text: string): boolean {
  return /^[0-9a-f]{64}$/i.test(text);
}

export function fileNameOf(url: string): string {
  return new URL(url).pathname.split('/').at(-1) ?? '';
}
