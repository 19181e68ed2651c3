import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { cachedDir, contentKey } from './cache.ts';
import { fileSha256, type Component } from './downloads.ts';
import type { BuildContext } from './go-build.ts';
import { fileLayer, toolLayer, toolLayerKey } from './layers.ts';
import { writeLayout, type ImageSettings } from './oci.ts';

/** One image: which binaries go where, and what runs when the pod does not say. */
export interface ImageRecipe {
  /** Full reference, as a pod names it. */
  readonly image: string;
  readonly component: Component;
  /** Path in the image by name of the component's binary. */
  readonly binaries: Readonly<Record<string, string>>;
  /** Whether the Debian layer with network tools lies below. */
  readonly tools?: boolean;
  readonly settings?: ImageSettings;
}

// Part of every image's key: raise it when the way images are written changes.
const layout = 1;

/** The image as an OCI layout, packed when the cache lacks it. */
export async function imageLayout(recipe: ImageRecipe, context: BuildContext): Promise<string> {
  const { component, binaries, settings = {} } = recipe;
  const base = recipe.tools ? toolLayerKey() : undefined;
  const name = recipe.image.replaceAll(/[/:]/g, '_');
  return cachedDir({
    kind: 'upstream/images',
    key: `${name}-${contentKey({ build: component.key, binaries, settings, base, layout })}`,
    log: context.log,
    signal: context.signal,
    build: async (dir) => {
      context.log(`packing ${recipe.image}`);
      const files = Object.entries(binaries).map(([binary, path]) => ({ source: join(component.dir, binary), path }));
      const own = await fileLayer(dir, files, context);
      await writeLayout(dir, recipe.tools ? [await toolLayer(context), own] : [own], settings);
      for (const leftover of ['layer.tar.gz', 'layer.json']) await rm(join(dir, leftover));
    },
  });
}

const pauseSource = join(import.meta.dirname, 'pause.c');

/** The pause program, compiled when the cache lacks it, as a component like the others. */
export async function pauseComponent(version: string, context: BuildContext): Promise<Component> {
  const key = `pause-${version}-${contentKey({ source: await fileSha256(pauseSource), version })}`;
  const dir = await cachedDir({
    kind: 'upstream/c',
    key,
    log: context.log,
    signal: context.signal,
    build: async (target) => {
      const flags = ['-Os', '-Wall', '-static', '-s', `-DVERSION="${version}"`];
      await execa('musl-gcc', [...flags, '-o', join(target, 'pause'), pauseSource], { stdin: 'ignore' });
    },
  });
  return { name: 'pause', version, key, dir };
}
