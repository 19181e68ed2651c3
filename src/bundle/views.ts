import type { Digest } from '../oci/digest.ts';
import { parseReference } from '../oci/reference.ts';
import { formatSize } from './bundle-errors.ts';
import { sizesOf } from './bundle.ts';
import { formatItem } from './format-item.ts';
import { itemKey, type BundleItem, type BundleManifest } from './manifest.ts';

/** One kind of things in a bundle, the largest first. */
interface Group {
  readonly kind: string;
  readonly items: readonly BundleItem[];
  /** Of different blobs. */
  readonly sizeBytes: number;
}

/** A tree that shows what takes the space. Pure. */
export function renderTree(manifest: BundleManifest, sizeBytes: number, signature: string): string {
  const sizes = sizesOf(manifest);
  const groups = groupsOf(manifest);
  const here = manifest.blobs.reduce((sum, blob) => sum + blob.sizeBytes, 0);
  const lines = [
    `bundle of cluster ${manifest.cluster}: ${formatSize(sizeBytes)}, ${manifest.items.length} items, ${manifest.blobs.length} blobs (${formatSize(here)})`,
    `Kubernetes ${manifest.kubernetes.join(' -> ')} for ${manifest.platforms.join(', ')}; made by installer ${manifest.installer}; ${signature}`,
    ...(manifest.base === undefined
      ? []
      : [`a delta: ${manifest.base.blobs.length} blobs are in the bundle ${manifest.base.manifest}`]),
  ];
  for (const [index, group] of groups.entries()) {
    const isLast = index === groups.length - 1;
    lines.push(`${isLast ? '└─' : '├─'} ${column(group.sizeBytes)}  ${group.kind} (${group.items.length})`);
    for (const [place, item] of group.items.entries()) {
      const branch = place === group.items.length - 1 ? '└─' : '├─';
      const shared = item.sizeBytes - ownBytes(item, manifest, sizes);
      const notes = [
        ...(item.kind === 'image' ? [item.platforms.join(', ')] : []),
        ...(shared > 0 ? [`${formatSize(shared)} shared`] : []),
        ...(isUnpinned(item) ? ['NOT PINNED'] : []),
      ];
      const note = notes.length === 0 ? '' : `  (${notes.join('; ')})`;
      lines.push(`${isLast ? '  ' : '│ '} ${branch} ${column(item.sizeBytes)}  ${formatItem(item)}${note}`);
    }
  }
  return `${lines.join('\n')}\n`;
}

/** Nobody but where it came from said what it is. */
function isUnpinned({ pin }: BundleItem): boolean {
  return pin === 'tag' || pin === 'published';
}

/** What images named by tag are, by reference: for `spec.bundle.digests`, so that the next bundle gets the very same. Pure. */
export function digestLines({ items }: BundleManifest): string[] {
  return items
    .filter(({ kind, name }) => kind === 'image' && parseReference(name).digest === undefined)
    .map(({ name, digest }) => `${name}: ${digest}`);
}

/** One line for each item: kind, name, platforms, size, digest. Pure. */
export function listRows(manifest: BundleManifest): string[][] {
  return manifest.items.map((item) => [
    item.kind,
    item.version === undefined ? item.name : `${item.name} ${item.version}`,
    item.platforms.join(','),
    formatSize(item.sizeBytes),
    item.pin,
    item.digest,
  ]);
}

/** How one item differs between two bundles. */
export interface Difference {
  readonly what: 'added' | 'removed' | 'changed';
  readonly item: BundleItem;
  /** What it was before. */
  readonly before?: BundleItem | undefined;
}

/** What the second bundle has and the first has not, and the other way round; and the bytes that would have to be moved. Pure. */
export function diffManifests(
  before: BundleManifest,
  after: BundleManifest,
): { readonly differences: readonly Difference[]; readonly newBytes: number; readonly goneBytes: number } {
  const old = new Map(before.items.map((item) => [itemKey(item), item]));
  const now = new Map(after.items.map((item) => [itemKey(item), item]));
  const differences: Difference[] = [];
  for (const [key, item] of now) {
    const was = old.get(key);
    if (was === undefined) differences.push({ what: 'added', item });
    else if (was.digest !== item.digest || was.platforms.join() !== item.platforms.join()) {
      differences.push({ what: 'changed', item, before: was });
    }
  }
  for (const [key, item] of old) if (!now.has(key)) differences.push({ what: 'removed', item });
  const [oldSizes, newSizes] = [sizesOf(before), sizesOf(after)];
  return { differences, newBytes: bytesNotIn(newSizes, oldSizes), goneBytes: bytesNotIn(oldSizes, newSizes) };
}

function bytesNotIn(sizes: ReadonlyMap<Digest, number>, others: ReadonlyMap<Digest, number>): number {
  let bytes = 0;
  for (const [digest, size] of sizes) if (!others.has(digest)) bytes += size;
  return bytes;
}

function groupsOf(manifest: BundleManifest): Group[] {
  const sizes = sizesOf(manifest);
  return [...Map.groupBy(manifest.items, ({ kind }) => kind)]
    .map(([kind, items]) => ({
      kind,
      items: items.toSorted((a, b) => b.sizeBytes - a.sizeBytes),
      sizeBytes: [...new Set(items.flatMap(({ blobs }) => blobs))].reduce(
        (sum, digest) => sum + (sizes.get(digest) ?? 0),
        0,
      ),
    }))
    .toSorted((a, b) => b.sizeBytes - a.sizeBytes);
}

/** Bytes of blobs that no other item needs. */
function ownBytes(item: BundleItem, manifest: BundleManifest, sizes: ReadonlyMap<Digest, number>): number {
  const others = new Set(manifest.items.filter((other) => other !== item).flatMap(({ blobs }) => blobs));
  return item.blobs.reduce((sum, digest) => sum + (others.has(digest) ? 0 : (sizes.get(digest) ?? 0)), 0);
}

function column(bytes: number): string {
  return formatSize(bytes).padStart(10);
}
