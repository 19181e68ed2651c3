import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { copy } from '../oci/copy.ts';
import { toInstallerError } from '../oci/copy-blobs.ts';
import { createLayout } from '../oci/layout.ts';
import { parsePlatform } from '../oci/platform.ts';
import { parseReference } from '../oci/reference.ts';
import { verifying } from '../oci/verify.ts';
import { InstallerErrors } from '../errors.ts';
import type { Bundle } from './bundle.ts';
import { bundleUsage } from './bundle-errors.ts';
import { diskTooSmall, freeBytesOf, sizeOf } from './free-space.ts';
import { formatItem, type BundleItem } from './manifest.ts';
import { refuseDelta } from './push.ts';
import { filePathOf } from './serve-files.ts';

export interface ExtractOptions {
  /** Names of the items that are wanted; all where nothing is given. */
  readonly names?: readonly string[] | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Lays the contents of a bundle out in a folder: images as an image layout in `images`, files in `files` as their publishers have
 * them. Everything is verified on its way; a file appears when it is whole. Returns the paths by item.
 */
export async function extractBundle(
  bundle: Bundle,
  dir: string,
  { names = [], signal }: ExtractOptions = {},
): Promise<readonly { readonly item: BundleItem; readonly path: string }[]> {
  refuseDelta(bundle);
  const { items, platforms } = bundle.manifest;
  const unknown = names.filter((name) => !items.some((item) => item.name === name));
  if (unknown.length > 0) {
    throw bundleUsage('ITEM_UNKNOWN', `${bundle.path} holds no ${unknown.join(', ')}`, 'see `installer bundle list`');
  }
  const chosen = items.filter(({ name }) => names.length === 0 || names.includes(name));
  const images = chosen.filter(({ kind }) => kind === 'image');
  const layoutDir = join(dir, 'images');
  await checkRoom(bundle, dir, layoutDir, chosen);
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
    // It is full for all of them.
    const full = errors.find(({ code }) => code === 'OCI_DISK_FULL');
    if (errors.length > 0) throw full ?? new InstallerErrors(errors);
    laid.push(...images.map((item) => ({ item, path: layoutDir })));
  }
  for (const item of chosen) {
    if (item.kind === 'image') continue;
    const path = join(dir, filePathOf(item));
    // The name of a file comes from outside: it must not lead out of the folder.
    if (!path.startsWith(join(dir, 'files/'))) {
      throw bundleUsage('PATH_OUTSIDE', `${formatItem(item)} would lie at ${path}`, 'do not use this bundle');
    }
    await writeFile(bundle, item, path, signal);
    laid.push({ item, path });
  }
  return laid;
}

/** What is there already of an earlier run counts as written. */
async function checkRoom(
  { manifest, plan }: Bundle,
  dir: string,
  layoutDir: string,
  chosen: readonly BundleItem[],
): Promise<void> {
  const blobs = new Set(chosen.flatMap((item) => (item.kind === 'image' ? item.blobs : [])));
  const wanted = [
    ...manifest.blobs
      .filter(({ digest }) => blobs.has(digest))
      .map(({ digest, sizeBytes }) => ({ path: join(layoutDir, plan.blobs.get(digest)?.name ?? ''), sizeBytes })),
    ...chosen
      .filter(({ kind }) => kind !== 'image')
      .map((item) => ({ path: join(dir, filePathOf(item)), sizeBytes: item.sizeBytes })),
  ];
  const there = await Promise.all(wanted.map(({ path }) => sizeOf(path)));
  const missing = wanted.filter(({ sizeBytes }, index) => there[index] !== sizeBytes);
  const bytes = missing.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const free = await freeBytesOf(dir);
  if (free < bytes) throw diskTooSmall(dir, 'what is extracted', bytes, free);
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
