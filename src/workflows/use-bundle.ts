import { loadCatalogs } from '../artifacts/load-catalogs.ts';
import { checkClosedWorld, needsOf, whoTakes } from '../bundle/closed-world.ts';
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
 * Opens the bundle, judges its signature and proves that nothing which this cluster file needs is missing, all before a host is
 * touched; then serves it to the work. Addresses are the publishers' own in the work, whatever mirrors the file has: the
 * bundle knows everything by those.
 */
export async function withSupply<T>(
  config: ClusterConfig,
  use: BundleUse,
  work: (config: ClusterConfig, supply: Supply) => Promise<T>,
): Promise<T> {
  return withBundle(use.path, use, async (bundle, signature) => {
    refuseDelta(bundle);
    const { platforms, items } = bundle.manifest;
    const hops = resolveHops(await loadCatalogs(config), config, architecturesOf(platforms), undefined);
    checkClosedWorld(needsOf(config, hops, platforms), items, whoTakes);
    const opened = await openSupply(bundle, `${use.path} (${describeSignature(signature)})`);
    try {
      return await work(
        { ...config, spec: { ...config.spec, artifacts: { ...config.spec.artifacts, mirrors: {} } } },
        opened.supply,
      );
    } finally {
      await opened.close();
    }
  });
}
