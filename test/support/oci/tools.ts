import { goBuild, goVersion } from '../../lab/upstream/go-build.ts';
import { findCommand } from '../../lab/upstream/prerequisites.ts';
import type { GoRecipe } from '../../lab/upstream/recipes.ts';
import { registryBinary } from '../../lab/upstream/registry.ts';

const craneRecipe: GoRecipe = {
  name: 'crane',
  module: 'github.com/google/go-containerregistry',
  version: 'v0.22.1',
  commands: ['github.com/google/go-containerregistry/cmd/crane'],
  seconds: 40,
};
const regclientRecipe: GoRecipe = {
  name: 'regclient',
  module: 'github.com/regclient/regclient',
  version: 'v0.11.7',
  commands: ['github.com/regclient/regclient/cmd/regctl', 'github.com/regclient/regclient/cmd/regsync'],
  seconds: 40,
};
const helmRecipe: GoRecipe = {
  name: 'helm',
  module: 'helm.sh/helm/v4',
  version: 'v4.3.1',
  commands: ['helm.sh/helm/v4/cmd/helm'],
  seconds: 120,
};

const log = (line: string): void => {
  process.stderr.write(`${line}\n`);
};

/** The path of a program, or why it is not to be had here. */
export type Tool = { readonly path: string } | { readonly missing: string };

/** crane, built once into the lab's cache. */
export function findCrane(): Promise<Tool> {
  return findGoTool(craneRecipe, 'crane');
}

/** regsync, built once into the lab's cache. */
export function findRegsync(): Promise<Tool> {
  return findGoTool(regclientRecipe, 'regsync');
}

/** helm, built once into the lab's cache. */
export function findHelm(): Promise<Tool> {
  return findGoTool(helmRecipe, 'helm');
}

/** skopeo, as the machine has it. */
export async function findSkopeo(): Promise<Tool> {
  const path = await findCommand('skopeo');
  return path === undefined ? { missing: 'skopeo is not installed' } : { path };
}

/** Debian's docker-registry, installed or unpacked into the lab's cache. */
export function findDockerRegistry(): Promise<Tool> {
  return attempt('docker-registry', () => registryBinary({ log }));
}

/** Path of a tool that a suite has made sure of. */
export function pathOf(tool: Tool): string {
  if ('missing' in tool) throw new Error(tool.missing);
  return tool.path;
}

/** Says on stderr why a suite is skipped, and whether it is. */
export function isMissing(suite: string, ...tools: readonly Tool[]): boolean {
  const reasons = tools.flatMap((tool) => ('missing' in tool ? [tool.missing] : []));
  if (reasons.length > 0) process.stderr.write(`skipped: ${suite}: ${reasons.join('; ')}\n`);
  return reasons.length > 0;
}

async function findGoTool(recipe: GoRecipe, name: string): Promise<Tool> {
  const installed = await findCommand(name);
  if (installed !== undefined) return { path: installed };
  return attempt(name, async () => `${await goBuild(recipe, await goVersion(), { log })}/${name}`);
}

async function attempt(name: string, find: () => Promise<string>): Promise<Tool> {
  try {
    return { path: await find() };
  } catch (error) {
    const [reason = ''] = (error instanceof Error ? error.message : String(error)).split('\n');
    return { missing: `${name} is not to be had: ${reason}` };
  }
}
