import { InstallerErrors } from '../errors.ts';
import type { Digest } from '../oci/digest.ts';
import { formatReference, parseReference, type Reference } from '../oci/reference.ts';
import { bundleUsage } from './bundle-errors.ts';
import { formatItem } from './format-item.ts';
import type { BundleItem } from './manifest.ts';

/** Where a bundle is pushed to, and how names are made there (docs/registry-mapping.md). */
export interface RegistryTarget {
  /** Host, with a port where it is not the usual one. */
  readonly registry: string;
  /** Put in front of every repository; empty for none. */
  readonly prefix: string;
  /** Keep the host of an image as the first part of its repository. */
  readonly keepHosts: boolean;
}

/** An item and its name in the registry. */
export interface MappedItem {
  readonly item: BundleItem;
  readonly to: Reference;
}

/** Reads `HOST[:PORT][/PREFIX]`. BUNDLE_TARGET_INVALID (exit code 2). */
export function parseTarget(text: string, keepHosts: boolean): RegistryTarget {
  const [registry = '', ...path] = text.replace(/\/+$/, '').split('/');
  const prefix = path.join('/');
  try {
    parseReference(`${registry}/${prefix === '' ? 'x' : prefix}:x`);
    if (/[.:]|^localhost$/.test(registry)) return { registry, prefix, keepHosts };
  } catch {
    // Said below.
  }
  throw bundleUsage(
    'TARGET_INVALID',
    `'${text}' is not a registry`,
    'write it as HOST[:PORT][/PREFIX], without https://',
  );
}

/** The name of one item in the target. The only place that decides it. Pure. */
export function mapItem(item: BundleItem, target: RegistryTarget): Reference {
  const place = (repository: string): string => [target.prefix, repository].filter((part) => part !== '').join('/');
  if (item.kind === 'image') {
    const { registry, repository, tag, digest } = parseReference(item.name);
    const path = place(target.keepHosts ? `${registry.replaceAll(/[:[\]]+/g, '-')}/${repository}` : repository);
    return { registry: target.registry, repository: path, ...(tag === undefined ? { digest } : { tag }) };
  }
  const digits = item.digest.slice('sha256:'.length, 'sha256:'.length + 12);
  // Distributions have packages of the same name and version that differ.
  const tag = [item.version ?? digits, ...(item.kind === 'package' ? [digits] : item.platforms)].join('-');
  return {
    registry: target.registry,
    repository: place(
      `installer/${item.kind}/${item.name
        .toLowerCase()
        .replaceAll(/[^a-z0-9]+/g, '-')
        .replace(/^-|-$/g, '')}`,
    ),
    tag: tag.replaceAll(/[^\w.-]/g, '-').slice(0, 128),
  };
}

/**
 * The projects that these names are in: their first parts, sorted. BUNDLE_NO_PROJECT (exit code 2) for a name that has no more
 * than one part, for a registry with projects keeps nothing outside of them. Pure.
 */
export function projectsOf(mapped: readonly MappedItem[]): readonly string[] {
  const outside = mapped.filter(({ to }) => !to.repository.includes('/'));
  if (outside.length > 0) {
    throw bundleUsage(
      'NO_PROJECT',
      `${outside.map(({ to }) => formatReference(to)).join(', ')} would be in no project`,
      'name a project behind the registry (--to HOST/PROJECT), or keep the hosts of images with --keep-hosts',
    );
  }
  return [...new Set(mapped.map(({ to }) => to.repository.split('/')[0] ?? ''))].toSorted();
}

/**
 * The names of all items. Two that would get one name for different contents are BUNDLE_NAME_COLLISION (exit code 2), all of
 * them at once.
 */
export function mapItems(items: readonly BundleItem[], target: RegistryTarget): readonly MappedItem[] {
  const mapped = items.map((item) => ({ item, to: mapItem(item, target) }));
  const taken = new Map<string, { readonly digest: Digest; readonly what: string }>();
  const errors = mapped.flatMap(({ item, to }) => {
    const name = formatReference(to);
    const other = taken.get(name);
    taken.set(name, other ?? { digest: item.digest, what: formatItem(item) });
    if (other === undefined || other.digest === item.digest) return [];
    return bundleUsage(
      'NAME_COLLISION',
      `${other.what} and ${formatItem(item)} would both be ${name}`,
      'keep the hosts of images in their names with --keep-hosts',
    );
  });
  if (errors.length > 0) throw new InstallerErrors(errors);
  return mapped;
}
