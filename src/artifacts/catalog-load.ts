import { parseStrictYaml } from '../spec/strict-yaml.ts';
import { type Catalog, catalogSchema } from './catalog-schema.ts';

/**
 * Reads one catalog file or overlay. Throws InstallerErrors with code CATALOG_FILE_INVALID (exit code 2), one error
 * per problem with its line and column in `name`.
 */
export function parseCatalog(text: string, name: string): Catalog {
  return parseStrictYaml(catalogSchema, text, name, 'CATALOG_FILE_INVALID');
}

/**
 * Lays overlays over the catalogs of the same minor, in order: maps are merged key by key, and any other value of
 * the overlay, a list of images included, replaces that of the base. An overlay of a new minor is a catalog of its own.
 */
export function mergeCatalogs(base: readonly Catalog[], overlays: readonly Catalog[]): Catalog[] {
  const byMinor = new Map<string, Catalog>();
  for (const catalog of [...base, ...overlays]) {
    const under = byMinor.get(catalog.spec.minor);
    byMinor.set(catalog.spec.minor, under === undefined ? catalog : layOver(under, catalog));
  }
  return [...byMinor.values()];
}

function layOver(under: Catalog, over: Catalog): Catalog {
  return { ...under, spec: mergeMaps(under.spec, over.spec) as Catalog['spec'] };
}

function mergeMaps(under: object, over: object): object {
  const merged = new Map<string, unknown>(Object.entries(under));
  for (const [key, value] of Object.entries(over) as [string, unknown][]) {
    if (value === undefined) continue;
    const below = merged.get(key);
    merged.set(key, isMap(below) && isMap(value) ? mergeMaps(below, value) : value);
  }
  return Object.fromEntries(merged);
}

function isMap(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
