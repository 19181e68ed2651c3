import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { copy } from '../oci/copy.ts';
import { createLayout } from '../oci/layout.ts';
import { parsePlatform } from '../oci/platform.ts';
import { parseReference } from '../oci/reference.ts';
import { verifying } from '../oci/verify.ts';
import { InstallerErrors } from '../errors.ts';
import type { Bundle } from './bundle.ts';
import { bundleUsage } from './bundle-errors.ts';
import { formatItem, type BundleItem } from './manifest.ts';
import { repositoriesIn, repositoryOf } from './package-places.ts';
import { refuseDelta } from './push.ts';
import { filePathOf } from './serve-files.ts';

export interface ExtractOptions {
  /** Names of the items, and of repositories of packages, that are wanted; all where nothing is given. */
  readonly names?: readonly string[] | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Lays the contents of a bundle out in a folder: images as an image layout in `images`, files in `files` as their publishers have
 * them, packages in `packages` as repositories. Everything is verified on its way; a file appears when it is whole. Returns the paths by item.
 */
export async function extractBundle(
  bundle: Bundle,
  dir: string,
  { names = [], signal }: ExtractOptions = {},
): Promise<readonly { readonly item: BundleItem; readonly path: string }[]> {
  refuseDelta(bundle);
  const { items, platforms } = bundle.manifest;
  const repositories = new Set(repositoriesIn(items).filter((name) => names.includes(name)));
  const unknown = names.filter((name) => !repositories.has(name) && !items.some((item) => item.name === name));
  if (unknown.length > 0) {
    throw bundleUsage('ITEM_UNKNOWN', `${bundle.path} holds no ${unknown.join(', ')}`, 'see `installer bundle list`');
  }
  const isWanted = (path: string): boolean => repositories.has(repositoryOf(path) ?? '');
  const chosen = items.filter(
    ({ name, paths = [] }) => names.length === 0 || names.includes(name) || paths.some(isWanted),
  );
  const images = chosen.filter(({ kind }) => kind === 'image');
  const layoutDir = join(dir, 'images');
  const laid: { item: BundleItem; path: string }[] = [];
  if (images.length > 0) {
    const layout = await createLayout(layoutDir);
    const copied = await copy(
      bundle.store,
      layout,
      images.map(({ name }) => ({ from: parseReference(name), to: parseReference(name) })),
      { platforms: platforms.map(parsePlatform), signal },
    );
    await layout.close();
    const errors = copied.images.flatMap(({ error }) => error ?? []);
    if (errors.length > 0) throw new InstallerErrors(errors);
    laid.push(...images.map((item) => ({ item, path: layoutDir })));
  }
  for (const item of chosen) {
    if (item.kind === 'image') continue;
    // What has places of its own lies there, and in those of the repositories alone where these were asked for.
    const all = item.paths ?? [filePathOf(item)];
    const places = repositories.size === 0 || names.includes(item.name) ? all : all.filter(isWanted);
    for (const place of places) {
      const path = placeIn(dir, place, item);
      await writeFile(bundle, item, path, signal);
      laid.push({ item, path });
    }
  }
  return laid;
}

/** The names of files come from outside: they must not lead out of the folder. */
function placeIn(dir: string, place: string, item: BundleItem): string {
  const path = join(dir, place);
  if (path.startsWith(join(dir, 'files/')) || path.startsWith(join(dir, 'packages/'))) return path;
  throw bundleUsage('PATH_OUTSIDE', `${formatItem(item)} would lie at ${path}`, 'do not use this bundle');
}

async function writeFile(
  bundle: Bundle,
  { digest, sizeBytes, kind }: BundleItem,
  path: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const temporary = `${path}.partial`;
  const file = await open(temporary, 'w', kind === 'installer' ? 0o755 : 0o644);
  try {
    const stream = verifying(bundle.openBlob({ digest, sizeBytes }, { signal }), { digest, sizeBytes }, bundle.path);
    await file.writeFile(stream);
    await file.close();
    await rename(temporary, path);
  } catch (error) {
    await file.close().catch(() => undefined);
    await rm(temporary, { force: true });
    throw error;
  }
}
