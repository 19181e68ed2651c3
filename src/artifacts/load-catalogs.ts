import { readFile } from 'node:fs/promises';
import { listAssets, readAsset } from '../assets.ts';
import { exitCodes, InstallerError, messageOf } from '../errors.ts';
import type { ClusterConfig } from '../spec/schema.ts';
import { mergeCatalogs, parseCatalog } from './catalog-load.ts';
import type { Catalog } from './catalog-schema.ts';

/** The built-in catalogs with those of the cluster file laid over them. FILE_UNREADABLE, CATALOG_FILE_INVALID (exit code 2). */
export async function loadCatalogs(config: ClusterConfig): Promise<Catalog[]> {
  const builtIn = listAssets('manifests/catalog/').map((path) => parseCatalog(readAsset(path), path));
  const overlays = await Promise.all(
    config.spec.artifacts.catalogs.map(async (path) => parseCatalog(await readNamedFile(path, 'catalog'), path)),
  );
  return mergeCatalogs(builtIn, overlays);
}

/** The text of a file that the cluster file names; FILE_UNREADABLE (exit code 2) where it cannot be read. `what` is for the error. */
export async function readNamedFile(path: string, what: string): Promise<string> {
  return (await readNamedBytes(path, what)).toString('utf8');
}

/** The same for a file that may be no text, such as a key. */
export async function readNamedBytes(path: string, what: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new InstallerError({
      code: 'FILE_UNREADABLE',
      message: `cannot read the ${what}: ${messageOf(error)}`,
      remedy: 'correct the path in the cluster file; paths lead from the folder of that file',
      exitCode: exitCodes.usage,
    });
  }
}
