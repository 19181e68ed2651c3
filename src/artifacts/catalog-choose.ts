import { InstallerError, exitCodes } from '../errors.ts';
import type { Catalog, CatalogRelease, ComponentName } from './catalog-schema.ts';

const overlayRemedy =
  'Give another version, or a catalog file that describes this one under spec.artifacts.catalogs of the cluster file.';

/** The catalog and Kubernetes version for the wanted version; absent: the default of the newest minor. */
export function chooseKubernetes(
  catalogs: readonly Catalog[],
  wanted: string | undefined,
): { readonly catalog: Catalog; readonly version: string } {
  const byAge = catalogs.toSorted((a, b) => compareVersions(b.spec.minor, a.spec.minor));
  const minor = wanted?.slice(1).split('.').slice(0, 2).join('.');
  const catalog = minor === undefined ? byAge[0] : byAge.find(({ spec }) => spec.minor === minor);
  const version = wanted ?? catalog?.spec.defaultVersion ?? (catalog && newestListed(catalog));
  if (catalog !== undefined && version !== undefined) return { catalog, version };
  const supported = byAge.map(({ spec }) => spec.minor).join(', ');
  throw new InstallerError({
    code: 'CATALOG_UNKNOWN_VERSION',
    message: `Kubernetes ${wanted ?? '(no version given)'} is in no catalog; supported minors: ${supported === '' ? 'none' : supported}.`,
    remedy: overlayRemedy,
    exitCode: exitCodes.usage,
  });
}

/** The newest Kubernetes version that the catalog lists with images. */
export function newestListed(catalog: Catalog): string | undefined {
  return Object.entries(catalog.spec.kubernetes)
    .flatMap(([version, release]) => (release.images === undefined ? [] : [version]))
    .toSorted(compareVersions)
    .at(-1);
}

/** The wanted release of a component, or its default one. */
export function getRelease(
  catalog: Catalog,
  name: ComponentName,
  wanted?: string,
): CatalogRelease & { readonly version: string } {
  const component = catalog.spec.components[name];
  const version = wanted ?? component?.default;
  if (component === undefined || version === undefined) throw incomplete(catalog, `spec.components.${name}.default`);
  const release = component.versions[version];
  if (release !== undefined) return { version, ...release };
  if (wanted === undefined) throw incomplete(catalog, `spec.components.${name}.versions["${version}"]`);
  const listed = Object.keys(component.versions).join(', ');
  throw new InstallerError({
    code: 'CATALOG_UNKNOWN_VERSION',
    message: `${name} ${wanted} is not in the catalog of Kubernetes ${catalog.spec.minor}; it lists ${listed}.`,
    remedy: overlayRemedy,
    exitCode: exitCodes.usage,
  });
}

/** A catalog that lacks something every cluster needs; `field` says what and where. */
export function incomplete(catalog: Catalog, field: string): InstallerError {
  return new InstallerError({
    code: 'CATALOG_INCOMPLETE',
    message: `The catalog of Kubernetes ${catalog.spec.minor} has no ${field}.`,
    remedy: 'Add it to the catalog file under spec.artifacts.catalogs of the cluster file.',
    exitCode: exitCodes.usage,
  });
}

/**
 * Orders versions as semver.org does: negative where `a` is older; a leading v aside. By hand, for the collation of the language
 * would bring its tables of several megabytes into memory.
 */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [partsOf(a), partsOf(b)];
  const byNumbers = compareParts(left.numbers, right.numbers);
  if (byNumbers !== 0) return byNumbers;
  // A release is newer than what was tried before it.
  if (left.before === undefined || right.before === undefined)
    return Number(left.before === undefined) - Number(right.before === undefined);
  return compareParts(left.before, right.before);
}

function partsOf(version: string): {
  readonly numbers: readonly string[];
  readonly before: readonly string[] | undefined;
} {
  const [numbers = '', ...before] = version.replace(/^v/, '').replace(/\+.*$/, '').split('-');
  return { numbers: numbers.split('.'), before: before.length === 0 ? undefined : before.join('-').split('.') };
}

function compareParts(a: readonly string[], b: readonly string[]): number {
  for (let index = 0; index < Math.max(a.length, b.length); index += 1) {
    const [left, right] = [a[index], b[index]];
    if (left === right) continue;
    if (left === undefined || right === undefined) return left === undefined ? -1 : 1;
    const [isLeft, isRight] = [left, right].map((part) => /^\d+$/.test(part));
    if (isLeft === true && isRight === true && Number(left) !== Number(right)) return Number(left) - Number(right);
    if (isLeft !== isRight) return isLeft === true ? -1 : 1;
    return left < right ? -1 : 1;
  }
  return 0;
}
