import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { copy } from '../oci/copy.ts';
import { toInstallerError } from '../oci/copy-blobs.ts';
import { createLayout } from '../oci/layout.ts';
import { parseReference } from '../oci/reference.ts';
import { verifying } from '../oci/verify.ts';
import { InstallerErrors } from '../errors.ts';
import type { Bundle } from './bundle.ts';
import { bundleUsage } from './bundle-errors.ts';
import { diskTooSmall, freeBytesOf, sizeOf } from './free-space.ts';
import { formatItem } from './format-item.ts';
import { platformsOf, type BundleItem } from './manifest.ts';
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
  const { items } = bundle.manifest;
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
  const files = chosen
    .filter(({ kind }) => kind !== 'image')
    .flatMap((item) => {
      // What has places of its own lies there, and in those of the repositories alone where these were asked for.
      const all = item.paths ?? [filePathOf(item)];
      const places = repositories.size === 0 || names.includes(item.name) ? all : all.filter(isWanted);
      return places.map((place) => ({ item, path: placeIn(dir, place, item) }));
    });
  await checkRoom(bundle, layoutDir, images, files);
  const laid: { item: BundleItem; path: string }[] = [];
  if (images.length > 0) {
    const layout = await createLayout(layoutDir);
    const copied = await copy(
      bundle.store,
      layout,
      images.map((item) => {
        const name = parseReference(item.name);
        return { from: name, to: name, platforms: platformsOf(item) };
      }),
      { signal },
    );
    await layout.close();
    const errors = copied.images.flatMap(({ error }) => error ?? []);
    // It is full for all of them.
    const full = errors.find(({ code }) => code === 'OCI_DISK_FULL');
    if (errors.length > 0) throw full ?? new InstallerErrors(errors);
    laid.push(...images.map((item) => ({ item, path: layoutDir })));
  }
  for (const { item, path } of files) await writeFile(bundle, item, path, signal);
  return [...laid, ...files];
}

/** What is there already of an earlier run counts as written. */
async function checkRoom(
  { manifest, plan }: Bundle,
  layoutDir: string,
  images: readonly BundleItem[],
  files: readonly { readonly item: BundleItem; readonly path: string }[],
): Promise<void> {
  const blobs = new Set(images.flatMap((item) => item.blobs));
  const wanted = [
    ...manifest.blobs
      .filter(({ digest }) => blobs.has(digest))
      .map(({ digest, sizeBytes }) => ({ path: join(layoutDir, plan.blobs.get(digest)?.name ?? ''), sizeBytes })),
    ...files.map(({ item, path }) => ({ path, sizeBytes: item.sizeBytes })),
  ];
  const there = await Promise.all(wanted.map(({ path }) => sizeOf(path)));
  const missing = wanted.filter(({ sizeBytes }, index) => there[index] !== sizeBytes);
  const bytes = missing.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const dir = dirname(layoutDir);
  const free = await freeBytesOf(dir);
  if (free < bytes) throw diskTooSmall(dir, 'what is extracted', bytes, free);
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
    throw toInstallerError(error, { registry: 'localhost', repository: bundle.path }, signal);
  }
}
