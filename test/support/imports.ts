import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

/** One import of a source file; paths are relative to the package root, libraries by their bare name. */
export interface Import {
  readonly from: string;
  readonly to: string;
  readonly isFile: boolean;
}

// Statements with `from`, imports for their effect, import() and import types. Comments and strings that look like one
// count as well: none should.
const importPattern = /(?:\bfrom\s*|\bimport\s*\(?\s*)(['"])([^'"\n]+)\1/g;

/** The imports in the text of one file, type-only ones included. */
export function parseImports(file: string, text: string): Import[] {
  return [...text.matchAll(importPattern)].map((match) => {
    const specifier = match[2] ?? '';
    const isFile = specifier.startsWith('.');
    return { from: file, to: isFile ? normalize(join(dirname(file), specifier)) : libraryOf(specifier), isFile };
  });
}

/** The imports of all files under `folder` that are not tests. */
export function scanImports(root: string, folder: string): Import[] {
  return sourceFiles(root, folder).flatMap((file) => parseImports(file, readFileSync(join(root, file), 'utf8')));
}

export function sourceFiles(root: string, folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
    .map((name) => join(folder, name));
}

/** One cycle of the graph as a list of names, the first being the last again; undefined where there is none. */
export function findCycle(edges: readonly { readonly from: string; readonly to: string }[]): string[] | undefined {
  const targets = new Map<string, Set<string>>();
  for (const { from, to } of edges) targets.set(from, (targets.get(from) ?? new Set()).add(to));
  const done = new Set<string>();

  function visit(name: string, path: readonly string[]): string[] | undefined {
    const start = path.indexOf(name);
    if (start >= 0) return [...path.slice(start), name];
    if (done.has(name)) return undefined;
    for (const target of targets.get(name) ?? []) {
      const cycle = visit(target, [...path, name]);
      if (cycle !== undefined) return cycle;
    }
    done.add(name);
    return undefined;
  }

  for (const name of targets.keys()) {
    const cycle = visit(name, []);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}

/** `node:fs`, `zod` for `zod/v4`, `@scope/name` for what is below it. */
function libraryOf(specifier: string): string {
  const parts = specifier.split('/');
  return parts.slice(0, specifier.startsWith('@') ? 2 : 1).join('/');
}
