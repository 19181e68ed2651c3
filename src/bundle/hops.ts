import { resolveVersions, type Architecture, type Catalog, type ResolvedVersions } from '../artifacts/catalog.ts';
import type { ClusterConfig } from '../spec/schema.ts';
import { bundleUsage } from './bundle-errors.ts';

/**
 * The versions of the cluster file, and those of every step of an upgrade to `upgradeTo`: kubeadm takes one minor at a time, so each
 * minor between is one, in its catalog's default version. Origins are the publishers' own, not those of mirrors.
 * BUNDLE_UPGRADE_INVALID where there is no such way, CATALOG_UNKNOWN_VERSION where a catalog is missing.
 */
export function resolveHops(
  catalogs: readonly Catalog[],
  config: ClusterConfig,
  architectures: readonly Architecture[],
  upgradeTo: string | undefined,
): readonly ResolvedVersions[] {
  const resolve = (version: string | undefined): ResolvedVersions =>
    resolveVersions(catalogs, withVersion(config, version), architectures);
  const first = resolve(config.spec.kubernetes.version);
  if (upgradeTo === undefined) return [first];
  const from = parse(first.kubernetes.version);
  const to = parse(upgradeTo);
  if (to.major !== from.major || to.minor < from.minor || (to.minor === from.minor && to.patch <= from.patch)) {
    throw bundleUsage(
      'UPGRADE_INVALID',
      `${upgradeTo} is no upgrade of ${first.kubernetes.version}`,
      'give a later version to --upgrade-to; Kubernetes does not go back',
    );
  }
  const hops = [first];
  for (let minor = from.minor + 1; minor < to.minor; minor += 1) {
    const name = `${to.major}.${minor}`;
    const catalog = catalogs.find(({ spec }) => spec.minor === name);
    const version = catalog?.spec.defaultVersion;
    if (version === undefined) {
      throw bundleUsage(
        'UPGRADE_INVALID',
        `the way from ${first.kubernetes.version} to ${upgradeTo} leads through ${name}, and no catalog has a version of it`,
        'give a catalog of that minor with a defaultVersion under spec.artifacts.catalogs',
      );
    }
    hops.push(resolve(version));
  }
  return [...hops, resolve(upgradeTo)];
}

function withVersion(config: ClusterConfig, version: string | undefined): ClusterConfig {
  const kubernetes = version === undefined ? config.spec.kubernetes : { ...config.spec.kubernetes, version };
  return { ...config, spec: { ...config.spec, kubernetes, artifacts: { ...config.spec.artifacts, mirrors: {} } } };
}

function parse(version: string): { readonly major: number; readonly minor: number; readonly patch: number } {
  const match = /^v(\d+)\.(\d+)\.(\d+)$/.exec(version);
  if (match === null) {
    throw bundleUsage('UPGRADE_INVALID', `'${version}' is not a Kubernetes version`, 'write it as vX.Y.Z');
  }
  return { major: Number(match[1]), minor: Number(match[2]), patch: Number(match[3]) };
}
