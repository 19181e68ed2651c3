import { build } from 'esbuild';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { openBundle } from '../../src/bundle/bundle.ts';
import { copy } from '../../src/oci/copy.ts';
import { createLayout } from '../../src/oci/layout.ts';
import { formatReference } from '../../src/oci/reference.ts';
import { createRegistryStore } from '../../src/oci/registry.ts';
import { runMeasured } from '../lib/measured-process.ts';
import { binary } from '../lib/setup.ts';
import { fillStore, imageCount, imageName } from './images.ts';
import type { Commands } from './peers.ts';
import { startRegistry, type BenchRegistryOptions } from './registry.ts';
import { createArgs, openBenchSite } from './site.ts';

/** What all rounds share. */
export interface Prepared extends Omit<Commands, 'dir' | 'crane' | 'regsync' | 'skopeo'> {
  /** Storage of a registry that holds the images. */
  readonly pristine: string;
  readonly bundleItems: number;
  close(): Promise<void>;
}

const indexes = Array.from({ length: imageCount }, (_, index) => index);

/** Generates the images as a layout and as layouts of one image each, a registry's storage that holds them, and a bundle of them. */
export async function prepare(dir: string, registryOptions: BenchRegistryOptions): Promise<Prepared> {
  if (!existsSync(binary)) throw new Error('dist/installer is not there: npm run package');
  const host = `127.0.0.1:${registryOptions.port}`;
  const layout = join(dir, 'whole');
  const pristine = join(dir, 'pristine');
  const bundle = join(dir, 'whole.bundle.tar');
  const singleLayout = (index: number): string => join(dir, `single-${index}`);
  const whole = await createLayout(layout);
  const blobs = await fillStore(whole, host);
  const bytes = blobs.reduce((sum, { descriptor }) => sum + descriptor.sizeBytes, 0);
  process.stdout.write(`${imageCount} images, ${blobs.length} different blobs of ${Math.round(bytes / 1e6)} MB\n`);
  // crane pushes a layout as a whole, so it gets one for each image, of the same blobs.
  const digests: string[] = [];
  for (const index of indexes) {
    const path = singleLayout(index);
    const single = await createLayout(path);
    rmSync(join(path, 'blobs'), { recursive: true });
    execFileSync('cp', ['-al', join(layout, 'blobs'), path]);
    const manifest = await whole.readManifest(imageName(host, index));
    await single.putManifest(imageName(host, index), manifest);
    digests.push(manifest.descriptor.digest);
  }
  mkdirSync(pristine);
  const site = await openBenchSite(
    dir,
    indexes.map((index) => formatReference(imageName(host, index))),
  );
  const registry = await startRegistry(pristine, registryOptions);
  const store = createRegistryStore();
  try {
    const items = indexes.map((index) => ({ from: imageName(host, index), to: imageName(host, index) }));
    const { images } = await copy(whole, store, items);
    for (const { error } of images) if (error) throw error;
    const made = await runMeasured(binary, ['bundle', ...createArgs(site.clusterFile, bundle)]);
    if (made.exitCode !== 0) throw new Error(`bundle create: ${made.exitCode} ${made.stdout} ${made.stderr}`);
  } finally {
    await store.close();
    await registry.stop();
  }
  const opened = await openBundle(bundle);
  await opened.close();
  return {
    host,
    installer: binary,
    copy: `${process.execPath} ${await bundleCopy(dir)}`,
    clusterFile: site.clusterFile,
    bundle,
    layout,
    singleLayout,
    name: (index, prefix) => formatReference(imageName(host, index, prefix)),
    digest: (index) => digests[index] ?? '',
    blobs,
    pristine,
    bundleItems: opened.manifest.items.length,
    close: () => site.close(),
  };
}

/** The process around `copy` as one file. */
async function bundleCopy(dir: string): Promise<string> {
  const outfile = join(dir, 'ours.mjs');
  await build({
    entryPoints: [join(import.meta.dirname, 'ours.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    logLevel: 'error',
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
  });
  return outfile;
}
