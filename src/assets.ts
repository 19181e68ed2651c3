import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { getAsset, getAssetKeys, isSea } from 'node:sea';
import { InternalError } from './errors.ts';
import packageFile from '../package.json' with { type: 'json' };

/** Version of this program. */
export const programVersion: string = packageFile.version;

/** The folders whose files are assets: read from the disk in development, embedded in the binary. */
export const assetFolders = ['templates', 'manifests', 'offline'] as const;

/** The file of this program where it runs as the one binary; undefined in development. */
export function runningBinary(): string | undefined {
  return isSea() ? process.execPath : undefined;
}

/** The package root: the parent of src/, and of dist/ once bundled. */
const packageRoot = join(import.meta.dirname, '..');

/**
 * The text of one asset, named by its path from the package root: `manifests/catalog/v1.36.yaml`. An asset that does
 * not exist is an InternalError, for no user input names one.
 */
export function readAsset(path: string): string {
  if (!isAssetPath(path)) throw new InternalError(`${path} is not in ${assetFolders.join(', ')}`);
  try {
    return isSea() ? getAsset(path, 'utf8') : readFileSync(join(packageRoot, path), 'utf8');
  } catch (error) {
    throw new InternalError(`There is no asset ${path}`, { cause: error });
  }
}

/** Paths of the assets that start with `prefix` ('' for all), sorted. */
export function listAssets(prefix: string): string[] {
  const paths = isSea() ? getAssetKeys() : assetFolders.flatMap(listFolder);
  return paths.filter((path) => path.startsWith(prefix)).sort();
}

function listFolder(folder: string): string[] {
  // Git keeps no empty folders.
  if (!existsSync(join(packageRoot, folder))) return [];
  return readdirSync(join(packageRoot, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(packageRoot.length + 1));
}

function isAssetPath(path: string): boolean {
  const [folder, ...rest] = path.split('/');
  return assetFolders.some((name) => name === folder) && rest.length > 0 && !rest.includes('..');
}
