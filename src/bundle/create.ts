import type { KeyObject } from 'node:crypto';
import { realpath } from 'node:fs/promises';
import { resolve } from 'node:path';
import { programVersion } from '../assets.ts';
import { loadCatalogs } from '../artifacts/load-catalogs.ts';
import { readServers } from '../artifacts/servers.ts';
import { digestOf, type Digest } from '../oci/digest.ts';
import type { Patience } from '../oci/endpoint.ts';
import type { BlobDescriptor } from '../oci/manifest.ts';
import { createRegistryStore } from '../oci/registry.ts';
import type { CallOptions, OciStore } from '../oci/store.ts';
import { createWebFiles, type WebFiles } from '../oci/web-files.ts';
import type { ClusterConfig } from '../spec/schema.ts';
import { openBundle, type Bundle } from './bundle.ts';
import { bundleUsage } from './bundle-errors.ts';
import { checkClosedWorld, needsOf } from './closed-world.ts';
import { imageNeeds, withExtras } from './extras.ts';
import { resolveHops } from './hops.ts';
import { installerSource, type InstallerBinary } from './installer-binary.ts';
import { byDigest, type BundleItem, type BundleManifest } from './manifest.ts';
import { findParts } from './parted-file.ts';
import { imagePinsOf, refuseUnpinned, unusedPins } from './pins.ts';
import { architecturesOf } from './platforms.ts';
import { registryAccess } from './registries.ts';
import type { ResolvedCharts } from './resolve-charts.ts';
import { resolveFiles } from './resolve-files.ts';
import { resolveImages, type ResolvedImage } from './resolve-images.ts';
import { renderSbom } from './sbom.ts';
import { fileSource, memorySource } from './sources.ts';
import { wantedOf } from './wanted.ts';
import { checkFolder, openOld, writeBundle, type BlobSource } from './write-bundle.ts';
import { writeVerified, type VerifiedResult, type WriteVerifiedOptions } from './write-verified.ts';

export interface CreateOptions extends Omit<WriteVerifiedOptions, 'signKey' | 'anew'> {
  /** Read every byte of the bundle in the end, and mend what is damaged. */
  readonly verifyContent?: boolean | undefined;
  readonly config: ClusterConfig;
  /** `linux/amd64`. */
  readonly platforms: readonly string[];
  readonly upgradeTo?: string | undefined;
  readonly allowUnpinned: boolean;
  readonly installers: readonly InstallerBinary[];
  /** A bundle whose blobs are left out. */
  readonly deltaFrom?: string | undefined;
  /** Throws where the base must not be used. */
  readonly judgeBase?: ((bundle: Bundle) => void) | undefined;
  readonly signKey?: KeyObject | undefined;
  /** OpenPGP private key, armored, that signs the indexes of package repositories. */
  readonly repositoryKey?: string | undefined;
  readonly env: NodeJS.ProcessEnv;
  readonly addSecret: (value: string) => void;
  readonly onNote: (message: string) => void;
  /** Called when everything is known and nothing is fetched yet. */
  readonly onPlanned?: ((manifest: Omit<BundleManifest, 'index'>) => void) | undefined;
  /** For tests: how patient requests are. */
  readonly patience?: Partial<Patience> | undefined;
}

/**
 * Makes a bundle of everything that the cluster file needs: plans, asks every origin what it has, proves that nothing is missing, and
 * only then fetches. Errors as of the parts; what was fetched stays for the next run.
 */
export async function createBundle(options: CreateOptions): Promise<VerifiedResult> {
  const { config, signal, patience, env, onNote } = options;
  const platforms = options.platforms.toSorted();
  await checkFolder(options.path);
  if (options.deltaFrom !== undefined) await checkApart(options.path, options.deltaFrom);
  const hops = resolveHops(await loadCatalogs(config), config, architecturesOf(platforms), options.upgradeTo);
  for (const note of new Set(hops.flatMap(({ notes }) => notes))) onNote(note);
  const access = await registryAccess(config, env, options.addSecret);
  const servers = await readServers(config.spec.artifacts.servers, options.addSecret, env);
  const registry = createRegistryStore({ ...access, patience });
  const web = createWebFiles({ servers, proxyEnv: env, patience });
  let earlier: ReturnType<typeof openOld> = Promise.resolve(undefined);
  try {
    const { mirrors } = config.spec.artifacts;
    // First of all: charts say which images they need.
    const charts = await chartsOf(web, registry, options);
    const wanted = withExtras(wantedOf(hops), config, [...charts.artifacts, ...charts.images]);
    const pins = imagePinsOf(config);
    if (!options.allowUnpinned) refuseUnpinned(wanted, pins);
    for (const name of unusedPins(wanted, pins)) {
      onNote(`spec.bundle.digests names ${name}, which nothing in this bundle asks for`);
    }
    earlier = openOld(options.path);
    const [images, files, packages, installers, base] = await both([
      resolveImages(registry, wanted.images, platforms, {
        signal,
        earlier: earlier.then((bundle) => bundle?.store),
        pins,
      }),
      resolveFiles(web, wanted.files, { mirrors, signal }),
      packagesOf(web, options),
      Promise.all(options.installers.map(installerSource)),
      options.deltaFrom === undefined ? Promise.resolve(undefined) : readBase(options.deltaFrom, options.judgeBase),
    ]);
    const items = [...images, ...files, ...packages, ...charts.files, ...installers].map(({ item }) => item);
    const ofCharts = charts.images.flatMap(({ name, why }) => why.map((namedBy) => ({ image: name, namedBy })));
    checkClosedWorld([...needsOf(config, hops, platforms), ...imageNeeds(ofCharts, platforms)], items);
    const sbom = sbomSource(config.metadata.name, items);
    const sources = [
      ...images.flatMap((image) => imageSources(image, registry)),
      ...files.map((file) => fileSource(file, web)),
      ...[...packages, ...charts.files, ...installers].map(({ source }) => source),
      sbom.source,
    ];
    const draft = draftOf({
      installer: programVersion,
      cluster: config.metadata.name,
      kubernetes: hops.map(({ kubernetes }) => kubernetes.version),
      platforms,
      items: [...items, sbom.item],
      blobs: sources.map(({ blob }) => blob),
      base,
    });
    options.onPlanned?.(draft);
    if (options.verifyContent === true) return await writeVerified(draft, sources, options);
    return { ...(await writeBundle(draft, sources, options)), mendedBlobs: 0 };
  } finally {
    web.close();
    await registry.close();
    await (await earlier)?.close();
  }
}

async function chartsOf(web: WebFiles, registry: OciStore, options: CreateOptions): Promise<ResolvedCharts> {
  const { charts } = options.config.spec.bundle;
  if (charts.length === 0) return { files: [], artifacts: [], images: [] };
  const { resolveCharts } = await import('./resolve-charts.ts');
  return resolveCharts(web, registry, charts, { ...options, mirrors: options.config.spec.artifacts.mirrors });
}

/** What reads repositories is large, and loaded only where it is asked for. */
async function packagesOf(
  web: WebFiles,
  options: CreateOptions,
): Promise<readonly { readonly item: BundleItem; readonly source: BlobSource }[]> {
  const { distributions } = options.config.spec.osPackages;
  if (distributions.length === 0) return [];
  const { resolveBundlePackages } = await import('./resolve-packages.ts');
  return resolveBundlePackages(web, {
    ...options,
    architectures: architecturesOf(options.platforms.toSorted()),
    nowMs: Date.now(),
  });
}

/** A manifest of unique blobs, less those that a base has. */
export function draftOf(
  whole: Omit<BundleManifest, 'index' | 'base'> & { readonly base?: BaseContents | undefined },
): Omit<BundleManifest, 'index'> {
  const { base, ...rest } = whole;
  const blobs = [...new Map(whole.blobs.map((blob) => [blob.digest, blob])).values()].toSorted(byDigest);
  if (base === undefined) return { ...rest, blobs };
  const isThere = ({ digest }: BlobDescriptor): boolean => base.blobs.has(digest);
  return {
    ...rest,
    blobs: blobs.filter((blob) => !isThere(blob)),
    base: { manifest: base.manifest, blobs: blobs.filter(isThere) },
  };
}

/** What a delta leaves out. */
export interface BaseContents {
  readonly manifest: Digest;
  readonly blobs: ReadonlySet<Digest>;
}

/** A delta in the place of its base would leave nobody who has the rest. BUNDLE_OUT (exit code 2). */
async function checkApart(path: string, basePath: string): Promise<void> {
  const realPaths = async (name: string): Promise<readonly string[]> =>
    Promise.all((await findParts(name)).map((part) => realpath(part).catch(() => resolve(part))));
  const base = await realPaths(basePath);
  if (!(await realPaths(path)).some((part) => base.includes(part))) return;
  throw bundleUsage(
    'OUT',
    `${path} is the bundle that --delta-from names: the delta would take its place, and nothing else has what it leaves out`,
    'give another name to -o',
  );
}

async function readBase(path: string, judge: CreateOptions['judgeBase']): Promise<BaseContents> {
  const bundle = await openBundle(path);
  await bundle.close();
  judge?.(bundle);
  if (bundle.manifest.base !== undefined) {
    throw bundleUsage(
      'BASE_IS_DELTA',
      `${path} is a delta itself`,
      'merge it with its base first, and give the result',
    );
  }
  return { manifest: bundle.manifestDigest, blobs: new Set(bundle.manifest.blobs.map(({ digest }) => digest)) };
}

/** Waits for all, so that nothing goes on behind an error; then throws the first. */
async function both<T extends readonly unknown[]>(work: { readonly [K in keyof T]: Promise<T[K]> }): Promise<T> {
  await Promise.allSettled(work);
  return Promise.all(work);
}

function imageSources(
  { from, manifests, blobs }: ResolvedImage,
  registry: ReturnType<typeof createRegistryStore>,
): BlobSource[] {
  return [
    ...manifests.map(({ descriptor, bytes }) => memorySource(Buffer.from(bytes), descriptor, from.repository)),
    ...blobs.map((blob) => ({
      blob: { digest: blob.digest, sizeBytes: blob.sizeBytes },
      from,
      open: (startByte: number, { signal }: CallOptions) => registry.openBlob(from, blob, { startByte, signal }),
      distrust: () => registry.distrust?.(from, blob.digest) === true,
    })),
  ];
}

/** The bill of materials of these items, as an item of its own. */
export function sbomSource(cluster: string, items: readonly BundleItem[]): { item: BundleItem; source: BlobSource } {
  const bytes = Buffer.from(renderSbom(cluster, programVersion, items));
  const blob = { digest: digestOf(bytes), sizeBytes: bytes.length };
  const item: BundleItem = {
    kind: 'sbom',
    name: 'sbom.cdx.json',
    platforms: [],
    why: ['says what is in the bundle (CycloneDX)'],
    ...blob,
    origin: 'made with the bundle',
    pin: 'local',
    blobs: [blob.digest],
  };
  return { item, source: memorySource(bytes, blob, 'sbom.cdx.json') };
}
