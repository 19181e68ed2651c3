import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { cachedDir, contentKey, isCached } from './cache.ts';
import { moduleFile, type GoModule } from './go-module.ts';
import type { GoRecipe } from './recipes.ts';

/** What a build needs from its caller. */
export interface BuildContext {
  readonly log: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
}

const kind = 'upstream/go';

/** Version of the Go toolchain, part of every key. */
export async function goVersion(): Promise<string> {
  const { stdout } = await execa('go', ['env', 'GOVERSION'], { env: goEnv(false) });
  return stdout.trim();
}

/** Name of a component's cache entry. */
export function goKey(recipe: GoRecipe, toolchain: string): string {
  const content = { ...recipe, seconds: undefined };
  return `${recipe.name}-${recipe.version}-${contentKey({ content, toolchain, layout: 1 })}`;
}

export async function isGoBuilt(recipe: GoRecipe, toolchain: string): Promise<boolean> {
  return isCached(kind, goKey(recipe, toolchain));
}

/**
 * Directory with one static binary for each command of the recipe, built when the cache lacks it. Go's own caches stay, so a
 * build that was cut off continues where it was.
 */
export async function goBuild(recipe: GoRecipe, toolchain: string, context: BuildContext): Promise<string> {
  return cachedDir({
    kind,
    key: goKey(recipe, toolchain),
    log: context.log,
    signal: context.signal,
    build: async (dir) => {
      const started = performance.now();
      context.log(`building ${recipe.name} ${recipe.version} (about ${recipe.seconds} s from empty caches)`);
      await compile(recipe, dir, context);
      context.log(`built ${recipe.name} ${recipe.version} in ${Math.round((performance.now() - started) / 1000)} s`);
    },
  });
}

async function compile(recipe: GoRecipe, dir: string, context: BuildContext): Promise<void> {
  const work = join(dir, '.work');
  const env = goEnv(recipe.cgo ?? false);
  const options = {
    cwd: work,
    env,
    stdin: 'ignore',
    ...(context.signal ? { cancelSignal: context.signal } : {}),
  } as const;
  await mkdir(work);
  const upstream = await readModule(recipe, env);
  await writeFile(join(work, 'go.mod'), moduleFile(recipe, upstream));
  const variables = Object.entries(recipe.variables ?? {}).map(([name, value]) => `-X ${name}=${value}`);
  const linking = ['-s', '-w', ...variables, ...(recipe.cgo ? ['-extldflags', '-static'] : [])];
  const tags = recipe.tags ? ['-tags', recipe.tags.join(',')] : [];
  const flags = ['-mod=mod', '-trimpath', '-buildvcs=false', '-ldflags', linking.join(' '), ...tags];
  // Niced, because a lab's machine also runs whatever its user does meanwhile.
  await execa('nice', ['-n', '10', 'go', 'build', ...flags, '-o', `${dir}/`, ...recipe.commands], options);
  for (const [from, to] of Object.entries(recipe.renames ?? {})) await rename(join(dir, from), join(dir, to));
  await rm(work, { recursive: true });
}

/** The module's own go.mod as `go mod edit -json` tells it, downloaded first. */
async function readModule(recipe: GoRecipe, env: NodeJS.ProcessEnv): Promise<GoModule> {
  const at = `${recipe.module}@${recipe.version}`;
  const { stdout } = await execa('go', ['mod', 'download', '-json', at], { env, cwd: '/' });
  const { GoMod } = JSON.parse(stdout) as { GoMod: string };
  const edit = await execa('go', ['mod', 'edit', '-json', GoMod], { env, cwd: '/' });
  return JSON.parse(edit.stdout) as GoModule;
}

function goEnv(cgo: boolean): NodeJS.ProcessEnv {
  return { GOOS: 'linux', GOARCH: 'amd64', GOWORK: 'off', CGO_ENABLED: cgo ? '1' : '0' };
}
