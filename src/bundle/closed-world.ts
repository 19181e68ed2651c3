import { parse as parseToml } from 'smol-toml';
import { parseAllDocuments } from 'yaml';
import type { ResolvedVersions } from '../artifacts/catalog.ts';
import { InstallerErrors } from '../errors.ts';
import { renderContainerdConfig } from '../kubernetes/containerd-config.ts';
import { apiEndpoint } from '../kubernetes/kubeadm-config.ts';
import { renderFlannel } from '../kubernetes/flannel.ts';
import type { ClusterConfig } from '../spec/schema.ts';
import { bundleError } from './bundle-errors.ts';
import { extraNeeds, imageNeeds } from './extras.ts';
import type { Need } from './need.ts';
import type { BundleItem } from './manifest.ts';
import { packageNeedName, packageNeeds } from './package-needs.ts';
import { repositoryOf } from './package-places.ts';

/** A need that is not met, with everybody who has it. */
export interface Missing {
  readonly kind: Need['kind'];
  readonly name: string;
  readonly platforms: readonly string[];
  readonly namedBy: readonly string[];
}

/**
 * Everything that an installation of these versions will ask for: read out of what is rendered for hosts and cluster, and not out
 * of the list that a bundle is planned from, so that the one checks the other. Pure.
 */
export function needsOf(
  config: ClusterConfig,
  hops: readonly ResolvedVersions[],
  platforms: readonly string[],
): readonly Need[] {
  const ofVersions = hops.flatMap((versions) => {
    const { version } = versions.kubernetes;
    const images = [
      ...versions.images.kubernetes.map((image) => ({ image, namedBy: `kubeadm's list for ${version}` })),
      ...sandboxImages(renderContainerdConfig(versions.images.pause, config.spec.runtime.containerd.config)).map(
        (image) => ({ image, namedBy: `the configuration of containerd, with ${version}` }),
      ),
      ...networkManifests(config, versions).flatMap(({ namedBy, text }) =>
        imagesOfManifest(text).map((image) => ({ image, namedBy: `${namedBy}, with ${version}` })),
      ),
      ...(config.spec.network.plugin === 'none'
        ? []
        : [{ image: versions.images.probe, namedBy: `the pods that verify the cluster, with ${version}` }]),
    ];
    const files = [...versions.binaries, ...versions.components];
    return [
      ...imageNeeds(images, platforms),
      ...files.map(({ name, url, arch }): Need => ({
        kind: 'file',
        name: url,
        platform: `linux/${arch}`,
        namedBy: `${name} of Kubernetes ${version}`,
      })),
    ];
  });
  return [...ofVersions, ...packageNeeds(config, platforms), ...extraNeeds(config, platforms)];
}

/** What of an item says which needs it meets. */
export type OfferedItem = Pick<BundleItem, 'kind' | 'name' | 'version' | 'origin' | 'platforms' | 'provides' | 'paths'>;

/** The names of needs that an item meets, with their kind. */
function metBy({ kind, name, version, origin, provides = [], paths = [] }: OfferedItem): string[] {
  if (kind === 'image') return [`image ${name}`, `chart ${name}`];
  if (kind === 'chart') return [`chart ${name} ${version ?? ''}`];
  if (kind !== 'package') return [`file ${origin}`];
  return paths.flatMap((path) =>
    [name, ...provides].map((word) => `package ${packageNeedName(word, repositoryOf(path) ?? '')}`),
  );
}

/** The needs that no item meets, each once. Pure. */
export function findMissing(needs: readonly Need[], items: readonly OfferedItem[]): readonly Missing[] {
  const have = new Set(
    items.flatMap((item) =>
      metBy(item).flatMap((met) => [...item.platforms, 'any'].map((platform) => `${met} ${platform}`)),
    ),
  );
  const missing = needs.filter(({ kind, name, platform }) => !have.has([kind, name, platform].join(' ')));
  return [...Map.groupBy(missing, ({ kind, name }) => `${kind} ${name}`).values()].flatMap((group) => {
    const [first] = group;
    if (first === undefined) return [];
    const unique = (values: readonly string[]): string[] => [...new Set(values)];
    return {
      kind: first.kind,
      name: first.name,
      platforms: unique(group.map(({ platform }) => platform)),
      namedBy: unique(group.map(({ namedBy }) => namedBy)),
    };
  });
}

const whoMakes =
  'name an image that the catalog lists, or put it into a catalog under spec.artifacts.catalogs, and make the bundle again';

/** What someone does who has a bundle that was made for something else. */
export const whoTakes = 'make the bundle anew from this cluster file, or give the one that was made from it';

/**
 * Throws InstallerErrors, one BUNDLE_INCOMPLETE for each thing that the bundle lacks. For create, and for whoever takes a bundle
 * (with `whoTakes` as the remedy).
 */
export function checkClosedWorld(needs: readonly Need[], items: readonly OfferedItem[], remedy?: string): void {
  const missing = findMissing(needs, items);
  if (missing.length === 0) return;
  throw new InstallerErrors(
    missing.map(({ kind, name, platforms, namedBy }) =>
      bundleError(
        'INCOMPLETE',
        `${name}${where(platforms)} is not in the bundle; it is named by ${namedBy.join(', and by ')}`,
        remedy ??
          (kind === 'package'
            ? 'make the bundle again from this cluster file, with a repository under spec.osPackages that has the package'
            : whoMakes),
      ),
    ),
  );
}

function where(platforms: readonly string[]): string {
  return platforms.includes('any') ? '' : ` for ${platforms.join(' and ')}`;
}

/** Every `image` of a container in Kubernetes' YAML, wherever it stands. Pure. */
export function imagesOfManifest(text: string): string[] {
  const found = new Set<string>();
  const walk = (value: unknown): void => {
    if (Array.isArray(value)) for (const item of value) walk(item);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return;
    for (const [key, item] of Object.entries(value)) {
      if (key === 'image' && typeof item === 'string' && item !== '') found.add(item);
      else walk(item);
    }
  };
  for (const document of parseAllDocuments(text)) walk(document.toJS());
  return [...found];
}

/** The sandbox images that a config.toml of containerd names, in the places of versions 2 and 3. Pure. */
export function sandboxImages(toml: string): string[] {
  const found = new Set<string>();
  const walk = (value: unknown, path: readonly string[]): void => {
    if (typeof value === 'string') {
      const [parent, last] = path.slice(-2);
      if (last === 'sandbox_image' || (parent === 'pinned_images' && last === 'sandbox')) found.add(value);
    } else if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      for (const [key, item] of Object.entries(value)) walk(item, [...path, key]);
    }
  };
  walk(parseToml(toml), []);
  return [...found];
}

function networkManifests(
  config: ClusterConfig,
  versions: ResolvedVersions,
): { readonly namedBy: string; readonly text: string }[] {
  const { plugin, podSubnets } = config.spec.network;
  if (plugin === 'none') return [];
  // Whatever address the hosts reach the API server at: images do not depend on it.
  const endpoint = apiEndpoint(config, config.spec.hosts[0]?.internalAddress ?? '127.0.0.1');
  const text = renderFlannel({ podSubnets, images: versions.images.network, endpoint });
  return [{ namedBy: `the manifest of ${plugin}`, text }];
}
