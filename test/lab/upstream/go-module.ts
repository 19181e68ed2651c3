import type { GoRecipe } from './recipes.ts';

/** The part of `go mod edit -json` that a build of a module's commands from outside needs. */
export interface GoModule {
  readonly Go?: string;
  readonly GoDebug?: readonly { readonly Key: string; readonly Value: string }[] | null;
  readonly Require?: readonly { readonly Path: string; readonly Version: string; readonly Indirect?: boolean }[] | null;
  readonly Exclude?: readonly { readonly Path: string; readonly Version: string }[] | null;
  readonly Replace?: readonly GoReplace[] | null;
}

interface GoReplace {
  readonly Old: { readonly Path: string; readonly Version?: string };
  readonly New: { readonly Path: string; readonly Version?: string };
}

/**
 * Text of a go.mod that builds the recipe's commands as their own module would. Go heeds `replace`, `exclude` and `godebug`
 * lines of the main module only, so they are repeated here; replacements by folders, which no published module has, become
 * the published module of the same release.
 */
export function moduleFile(recipe: GoRecipe, upstream: GoModule): string {
  const requires = new Map<string, string>();
  for (const { Path, Version } of upstream.Require ?? []) {
    if (!isPlaceholder(Version)) requires.set(Path, Version);
  }
  for (const [path, version] of Object.entries(recipe.requires ?? {})) requires.set(path, version);
  requires.set(recipe.module, recipe.version);
  const lines = ['module lab.invalid/build', `go ${upstream.Go ?? '1.24'}`];
  for (const { Key, Value } of upstream.GoDebug ?? []) lines.push(`godebug ${Key}=${Value}`);
  for (const [path, version] of requires) lines.push(`require ${path} ${version}`);
  for (const { Path, Version } of upstream.Exclude ?? []) lines.push(`exclude ${Path} ${Version}`);
  const placeholders = new Set((upstream.Require ?? []).filter((r) => isPlaceholder(r.Version)).map((r) => r.Path));
  for (const replace of upstream.Replace ?? []) lines.push(...replaceLine(recipe, replace, placeholders));
  return `${lines.join('\n')}\n`;
}

function replaceLine(recipe: GoRecipe, { Old, New }: GoReplace, placeholders: ReadonlySet<string>): string[] {
  const old = [Old.Path, Old.Version].filter(Boolean).join(' ');
  if (New.Version) return [`replace ${old} => ${New.Path} ${New.Version}`];
  // A folder: modules of the same repository. With a real version required, the published one is found without help.
  return placeholders.has(Old.Path) ? [`replace ${old} => ${Old.Path} ${stagingVersion(recipe.version)}`] : [];
}

/** Kubernetes v1.Y.Z publishes its staging modules as v0.Y.Z and requires them as v0.0.0. */
export function stagingVersion(version: string): string {
  return version.replace(/^v1\./, 'v0.');
}

function isPlaceholder(version: string): boolean {
  return version === 'v0.0.0';
}
