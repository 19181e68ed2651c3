import type { BundleItem } from './manifest.ts';

// A module of its own: the command line shows items, and reads the format of a bundle only where there is one.
/** `kubelet v1.36.3 (linux/amd64)`. */
export function formatItem({
  kind,
  name,
  version,
  platforms,
}: Pick<BundleItem, 'kind' | 'name' | 'version' | 'platforms'>): string {
  const where = kind === 'image' || platforms.length === 0 ? '' : ` (${platforms.join(', ')})`;
  return `${name}${version === undefined ? '' : ` ${version}`}${where}`;
}
