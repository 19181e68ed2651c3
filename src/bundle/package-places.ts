import type { BundleItem } from './manifest.ts';

/** Folder of all package repositories, in paths of items, served and laid out. */
const root = 'packages/';

/** The suite that repositories of apt have in a bundle, and their one component. */
export const bundleSuite = 'bundle';

/** `debian-12-amd64`: one repository for each release and architecture. */
export function repositoryName(
  { id, version }: { readonly id: string; readonly version: string },
  architecture: string,
): string {
  return `${id}-${version}-${architecture}`;
}

/** Where a repository, or a file of it, lies: `packages/debian-12-amd64/dists/bundle/InRelease`. */
export function repositoryPath(repository: string, path = ''): string {
  return `${root}${repository}${path === '' ? '' : `/${path}`}`;
}

/** The repository that a path is of; undefined for any other path. */
export function repositoryOf(path: string): string | undefined {
  return path.startsWith(root) ? path.slice(root.length).split('/')[0] : undefined;
}

/** The package repositories of a bundle, in order. Pure. */
export function repositoriesIn(items: readonly Pick<BundleItem, 'kind' | 'paths'>[]): string[] {
  const names = items
    .filter(({ kind }) => kind === 'package-index')
    .flatMap(({ paths = [] }) => paths.flatMap((path) => repositoryOf(path) ?? []));
  return [...new Set(names)].sort();
}
