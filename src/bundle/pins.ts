import type { Digest } from '../oci/digest.ts';
import { formatReference, parseReference } from '../oci/reference.ts';
import type { ClusterConfig } from '../spec/schema.ts';
import { bundleUsage } from './bundle-errors.ts';
import { formatFile, type Wanted } from './wanted.ts';

/** What images that are named by tag must be, by whole reference. */
export type ImagePins = ReadonlyMap<string, Digest>;

/** spec.bundle.digests. Pure. */
export function imagePinsOf({ spec }: ClusterConfig): ImagePins {
  return new Map(
    Object.entries(spec.bundle.digests).map(([name, digest]) => [formatReference(parseReference(name)), digest]),
  );
}

/** Everything of which nobody but its origin says what it is. BUNDLE_UNPINNED (exit code 2), all at once. */
export function refuseUnpinned({ images, files }: Wanted, pins: ImagePins): void {
  const isPinned = (name: string): boolean => parseReference(name).digest !== undefined || pins.has(name);
  const tags = images.filter(({ name, digest }) => digest === undefined && !isPinned(name)).map(({ name }) => name);
  const unpinned = files.filter(({ sha256 }) => sha256 === undefined).map(formatFile);
  if (tags.length + unpinned.length === 0) return;
  const remedies = [
    ...(unpinned.length > 0 ? ['pin checksums in a catalog under spec.artifacts.catalogs'] : []),
    ...(tags.length > 0
      ? ['pin images under spec.bundle.digests (`installer bundle list FILE --digests` prints what a bundle has)']
      : []),
    'or take what the origins say now with --allow-unpinned',
  ];
  throw bundleUsage('UNPINNED', `nothing is pinned for ${[...tags, ...unpinned].join(', ')}`, remedies.join(', '));
}

/** References under spec.bundle.digests that nothing asks for: a mistyped one, or one of an earlier version. Pure. */
export function unusedPins({ images }: Wanted, pins: ImagePins): readonly string[] {
  const wanted = new Set(images.map(({ name }) => name));
  return [...pins.keys()].filter((name) => !wanted.has(name));
}
