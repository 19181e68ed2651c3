import { overlaps, type Capability } from './capability.ts';
import type { RpmPackage } from './primary.ts';
import { compareEvr } from './version.ts';

/** A package and the repository that it is of. */
export interface IndexedPackage extends RpmPackage {
  readonly repository: number;
}

/** Packages of one or more repositories, found by what they provide. */
export interface RpmIndex {
  /** Packages that satisfy a capability: of each name the newest that does. */
  providing(wanted: Capability): readonly IndexedPackage[];
  /** Whether any package names the file. */
  hasFile(path: string): boolean;
  /** Adds a file that a package has by its digest; what only filelists.xml knows. */
  addFile(digest: string, path: string): void;
}

interface Provider {
  readonly item: IndexedPackage;
  readonly capability: Capability;
}

export function indexRpms(packages: readonly IndexedPackage[]): RpmIndex {
  const byName = new Map<string, Provider[]>();
  const byFile = new Map<string, IndexedPackage[]>();
  const byDigest = new Map<string, IndexedPackage[]>();
  for (const item of packages) {
    for (const capability of item.provides) push(byName, capability.name, { item, capability });
    for (const file of item.files) push(byFile, file, item);
    push(byDigest, item.digest, item);
  }
  return {
    providing(wanted) {
      const named = (byName.get(wanted.name) ?? []).filter(({ capability }) => overlaps(capability, wanted));
      const files = wanted.name.startsWith('/') ? (byFile.get(wanted.name) ?? []) : [];
      return newestOfEach([...named.map(({ item }) => item), ...files]);
    },
    hasFile: (path) => byFile.has(path) || byName.has(path),
    addFile(digest, path) {
      for (const item of byDigest.get(digest) ?? []) push(byFile, path, item);
    },
  };
}

function newestOfEach(items: readonly IndexedPackage[]): IndexedPackage[] {
  const newest = new Map<string, IndexedPackage>();
  for (const item of items) {
    const known = newest.get(item.name);
    if (known === undefined || compareEvr(item.evr, known.evr) > 0) newest.set(item.name, item);
  }
  return [...newest.values()];
}

function push<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}
