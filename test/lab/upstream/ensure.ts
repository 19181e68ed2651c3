import { join } from 'node:path';
import { aptRepository } from './apt-repository.ts';
import { cachedDir, contentKey } from './cache.ts';
import { minorContent, type MinorContent, type UpstreamParts } from './content.ts';
import { downloadsOf, hasDownloads, type Component } from './downloads.ts';
import { goBuild, goKey, goVersion, isGoBuilt, type BuildContext } from './go-build.ts';
import { extraImageRecipes, kubeadmImageRecipes, type ImageComponents } from './image-recipes.ts';
import { imageLayout, pauseComponent } from './images.ts';
import { isToolLayerBuilt } from './layers.ts';
import { officialParts, officialReachable } from './official.ts';
import { ensurePrerequisites } from './prerequisites.ts';
import { recipesFor, sharedRecipes, minorRecipes, type GoRecipe } from './recipes.ts';
import { registryBinary } from './registry.ts';
import { repositoryAndTag, writeRegistryStorage, type ServedImage } from './registry-storage.ts';
import type { UpstreamMinor } from './versions.ts';

/** Everything the Internet would give, on this machine's disk; files are the cache's and must not be changed. */
export interface Upstream {
  /** Where it came from: the official sites, or builds from Go modules. */
  readonly source: 'official' | 'built';
  /** Directories whose first level is host names; a file is looked for in each. */
  readonly downloadsDirs: readonly string[];
  /** SHA-256, hex, by path (host first) of every download that is not itself a checksum. */
  readonly checksums: Readonly<Record<string, string>>;
  /** Directory to be served with an apt repository that is not signed yet. */
  readonly aptDir: string;
  /** Storage of docker-registry. */
  readonly registryDir: string;
  /** Program that serves it. */
  readonly registryBinary: string;
  readonly minors: readonly MinorContent[];
  /** Kubernetes versions, with `v`. */
  readonly versions: readonly string[];
}

export interface EnsureOptions extends BuildContext {
  readonly minors: readonly UpstreamMinor[];
}

/**
 * Builds what the cache lacks and puts it together; says first what it will build and about how long that takes. Where the
 * official sites answer, their files are downloaded instead.
 */
export async function ensureUpstream(options: EnsureOptions): Promise<Upstream> {
  const source = (await officialReachable()) ? 'official' : 'built';
  await ensurePrerequisites(source, options);
  const { downloads, minors, images } =
    source === 'official' ? await officialParts(options.minors, options) : await builtParts(options);
  return {
    source,
    downloadsDirs: downloads.map(({ tree }) => tree),
    checksums: Object.assign({}, ...downloads.map(({ checksums }) => checksums)) as Record<string, string>,
    aptDir: await aptRepository(options),
    registryDir: await registryStorage(images, options),
    registryBinary: await registryBinary(options),
    minors,
    versions: minors.map(({ kubernetes }) => kubernetes),
  };
}

async function builtParts(options: EnsureOptions): Promise<UpstreamParts> {
  const toolchain = await goVersion();
  await announce(options, toolchain);
  const components: Component[] = [];
  for (const recipe of recipesFor(options.minors)) {
    const dir = await goBuild(recipe, toolchain, options);
    components.push({ name: recipe.name, version: recipe.version, key: goKey(recipe, toolchain), dir });
  }
  const parts: UpstreamParts = { downloads: [], minors: [], images: [] };
  for (const component of components.filter(hasDownloads)) parts.downloads.push(await downloadsOf(component, options));
  for (const minor of options.minors) {
    const { content, images } = await buildImages(minor, components, options);
    parts.minors.push(content);
    parts.images.push(...images);
  }
  return parts;
}

async function announce(options: EnsureOptions, toolchain: string): Promise<void> {
  const missing: { name: string; seconds: number }[] = [];
  for (const recipe of recipesFor(options.minors)) {
    if (await isGoBuilt(recipe, toolchain)) continue;
    missing.push({ name: `${recipe.name} ${recipe.version}`, seconds: recipe.seconds });
  }
  if (!(await isToolLayerBuilt())) missing.push({ name: 'the Debian layer', seconds: 40 });
  if (missing.length === 0) return;
  const minutes = Math.ceil(missing.reduce((sum, { seconds }) => sum + seconds, 0) / 60);
  const names = missing.map(({ name }) => name).join(', ');
  options.log(`the lab's upstream lacks ${names}: building them takes about ${minutes} min on two cores, once`);
}

async function buildImages(
  minor: UpstreamMinor,
  built: readonly Component[],
  context: BuildContext,
): Promise<{ content: MinorContent; images: ServedImage[] }> {
  const find = ({ name, version }: GoRecipe): Component => {
    const found = built.find((component) => component.name === name && component.version === version);
    if (!found) throw new Error(`${name} ${version} was not built`);
    return found;
  };
  const recipes = minorRecipes(minor);
  const kubernetes = find(recipes.kubernetes);
  const content = await minorContent(minor, join(kubernetes.dir, 'kubeadm'));
  const pause = content.images.map(repositoryAndTag).find(({ repository }) => repository === 'pause');
  if (!pause) throw new Error(`kubeadm ${content.kubernetes} asks for no pause image`);
  const components: ImageComponents = {
    kubernetes,
    etcd: find(recipes.etcd),
    coredns: find(recipes.coredns),
    agnhost: find(recipes.agnhost),
    pause: await pauseComponent(pause.tag, context),
    flannel: find(sharedRecipes.flannel),
    flannelPlugin: find(sharedRecipes.flannelPlugin),
  };
  const images: ServedImage[] = [];
  for (const recipe of [
    ...kubeadmImageRecipes(content.images, components),
    ...extraImageRecipes(content, components),
  ]) {
    images.push({ ...repositoryAndTag(recipe.image), layout: await imageLayout(recipe, context) });
  }
  return { content, images };
}

async function registryStorage(images: readonly ServedImage[], context: BuildContext): Promise<string> {
  const unique = [...new Map(images.map((image) => [`${image.repository}:${image.tag}`, image])).values()];
  return cachedDir({
    kind: 'upstream/registry',
    key: contentKey({ images: unique.map(({ repository, tag, layout }) => [repository, tag, layout]), layout: 1 }),
    log: context.log,
    signal: context.signal,
    build: (dir) => writeRegistryStorage(dir, unique),
  });
}
