import { loadCatalogs } from '../artifacts/load-catalogs.ts';
import type { Bundle } from '../bundle/bundle.ts';
import { checkClosedWorld, findMissing, needsOf, whoTakes } from '../bundle/closed-world.ts';
import { imageNeeds } from '../bundle/extras.ts';
import type { Need } from '../bundle/need.ts';
import { architecturesOf } from '../bundle/platforms.ts';
import { resolveHops } from '../bundle/hops.ts';
import { refuseDelta } from '../bundle/push.ts';
import { openSupply } from '../bundle/supply.ts';
import type { Supply } from '../kubernetes/supply.ts';
import type { ClusterConfig } from '../spec/schema.ts';
import { describeSignature, withBundle, type SignatureInput } from './bundle-look.ts';

/** A bundle that a run on hosts takes everything from. */
export interface BundleUse extends SignatureInput {
  readonly path: string;
}

/**
 * Opens the bundle, judges its signature and proves that nothing which this cluster file needs is missing for at least one platform,
 * all before a host is touched; hosts of other platforms are refused when they have said what they are. It then serves the bundle to the work. Addresses are the publishers' own in the work, whatever mirrors the file has: the
 * bundle knows everything by those.
 */
export async function withSupply<T>(
  config: ClusterConfig,
  use: BundleUse,
  onWarning: (message: string) => void,
  work: (config: ClusterConfig, supply: Supply) => Promise<T>,
): Promise<T> {
  return withBundle(use.path, use, async (bundle, signature) => {
    refuseDelta(bundle);
    const { whole, notes } = wholePlatforms(
      bundle,
      config,
      await loadCatalogs(config),
      await chartImagesIn(bundle, config),
    );
    const opened = await openSupply(bundle, `${use.path} (${describeSignature(signature)})`, onWarning);
    try {
      return await work(
        { ...config, spec: { ...config.spec, artifacts: { ...config.spec.artifacts, mirrors: {} } } },
        { ...opened.supply, platforms: whole, notes: [...opened.supply.notes, ...notes] },
      );
    } finally {
      await opened.close();
    }
  });
}

/** A merged bundle may be whole for one platform and not for another, which this cluster may not even have. InstallerErrors where it is for none. */
function wholePlatforms(
  { manifest: { platforms, items } }: Bundle,
  config: ClusterConfig,
  catalogs: Awaited<ReturnType<typeof loadCatalogs>>,
  chartImages: readonly { readonly image: string; readonly namedBy: string }[],
): { readonly whole: readonly string[]; readonly notes: readonly string[] } {
  const needsFor = (some: readonly string[]): readonly Need[] => [
    ...needsOf(config, resolveHops(catalogs, config, architecturesOf(some), undefined), some),
    ...imageNeeds(chartImages, some),
  ];
  const lacks = platforms.map((platform) => ({ platform, missing: findMissing(needsFor([platform]), items) }));
  const whole = lacks.filter(({ missing }) => missing.length === 0).map(({ platform }) => platform);
  if (whole.length === 0) checkClosedWorld(needsFor(platforms), items, whoTakes);
  const notes = lacks
    .filter(({ missing }) => missing.length > 0)
    .map(
      ({ platform, missing }) =>
        `hosts of ${platform} are refused: for them the bundle lacks ${missing.length} things, such as ${missing[0]?.name ?? ''}`,
    );
  return { whole, notes };
}

/** What reads charts is loaded only where there are some. */
async function chartImagesIn(
  bundle: Bundle,
  { spec }: ClusterConfig,
): Promise<readonly { readonly image: string; readonly namedBy: string }[]> {
  if (spec.bundle.charts.length === 0) return [];
  const { imagesOfChartsIn } = await import('../bundle/resolve-charts.ts');
  const images = await imagesOfChartsIn(bundle, spec.bundle.charts);
  return images.flatMap(({ name, why }) => why.map((namedBy) => ({ image: name, namedBy })));
}
