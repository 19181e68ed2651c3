import type { ChartFiles } from './chart-archive.ts';

/** A line of a template whose image cannot be told. */
export interface Uncovered {
  /** `templates/job.yaml of chart x 1.0.0, line 12`. */
  readonly place: string;
  readonly text: string;
}

/** How deep templates that include others are followed. */
const maxDepth = 6;

/**
 * The lines of templates and CRDs that give a container its image: those with the image written out, and those whose expression reads
 * nothing of the values that are known to be images (`covered`, paths of values). Pure.
 */
export function imageLines(
  files: ChartFiles,
  covered: ReadonlySet<string>,
  what: string,
): {
  readonly literal: readonly { readonly image: string; readonly place: string }[];
  readonly uncovered: readonly Uncovered[];
} {
  const literal: { image: string; place: string }[] = [];
  const uncovered: Uncovered[] = [];
  const templates = [...files].filter(([path]) => /^(?:templates|crds)\//.test(path));
  const defines = definesOf(templates.map(([, content]) => content.toString()));
  for (const [path, content] of templates) {
    if (!/\.(?:ya?ml|tpl|json)$/.test(path) || path.startsWith('templates/tests/')) continue;
    content
      .toString()
      .split('\n')
      .forEach((line, index) => {
        const [, value = ''] = /^\s*(?:-\s+)?"?image"?:\s*(\S.*)$/.exec(line) ?? [];
        const place = `${path} of ${what}, line ${index + 1}`;
        if (value === '' || value.startsWith('#')) return;
        if (!value.includes('{{')) {
          // A map of a schema (`image: {`) names no image.
          const image = value.replace(/\s+#.*$/, '').replaceAll(/^["']|["'],?$/g, '');
          if (!/^[{[&*|>]/.test(image)) literal.push({ image, place });
        } else if (!isCovered(value, defines, covered)) uncovered.push({ place, text: value.trim() });
      });
  }
  return { literal, uncovered };
}

/** Bodies of `define` blocks by name. */
function definesOf(texts: readonly string[]): ReadonlyMap<string, string> {
  const defines = new Map<string, string>();
  for (const text of texts) {
    const starts = [...text.matchAll(/\{\{-?\s*define\s+"([^"]+)"\s*-?\}\}/g)];
    for (const [index, match] of starts.entries()) {
      const end = starts[index + 1]?.index ?? text.length;
      defines.set(match[1] ?? '', text.slice(match.index + match[0].length, end));
    }
  }
  return defines;
}

/** Whether an expression reads values that are images, itself or in what it includes. */
function isCovered(
  expression: string,
  defines: ReadonlyMap<string, string>,
  covered: ReadonlySet<string>,
  depth = 0,
): boolean {
  for (const [, path = ''] of expression.matchAll(/\.Values\.([\w.]+)/g)) {
    for (const known of covered) {
      if (known === path || path.startsWith(`${known}.`) || known.startsWith(`${path}.`)) return true;
    }
  }
  if (depth >= maxDepth) return false;
  for (const [, name = ''] of expression.matchAll(/(?:include|template)\s+"([^"]+)"/g)) {
    const body = defines.get(name);
    if (body !== undefined && isCovered(body, defines, covered, depth + 1)) return true;
  }
  return false;
}
