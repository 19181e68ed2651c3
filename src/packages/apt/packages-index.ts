import { parseStanza } from './stanza.ts';
import { parseRelations, type Relation } from './relation.ts';

/** One binary package of an index. */
export interface DebianPackage {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  /** Path below the repository's URL. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly sha256: string;
  /** Pre-Depends and Depends. */
  readonly depends: readonly (readonly Relation[])[];
  readonly conflicts: readonly Relation[];
  /** Further names, with the version where one is given. */
  readonly provides: readonly Relation[];
  /** Lower is more important. */
  readonly priority: number;
  readonly stanza: string;
  readonly repositoryUrl: string;
}

/** Packages of one or more repositories, found by name or by what they provide. */
export interface DebianIndex {
  named(name: string): readonly DebianPackage[];
  providing(name: string): readonly DebianPackage[];
}

interface Span {
  readonly text: Buffer;
  readonly start: number;
  readonly end: number;
  readonly repositoryUrl: string;
}

/**
 * An index over the text of Packages files, which stays as it was read: of the tens of thousands of stanzas only the few that
 * are looked at are ever parsed, so memory is that of the text.
 */
export function indexPackages(
  files: readonly { readonly text: Buffer; readonly repositoryUrl: string }[],
): DebianIndex {
  const names = new Map<string, Span[]>();
  const provided = new Map<string, Span[]>();
  for (const { text, repositoryUrl } of files) {
    for (const { start, end } of stanzas(text)) {
      const span = { text, start, end, repositoryUrl };
      const name = fieldOf(text, start, end, 'Package');
      if (name === undefined) continue;
      push(names, name, span);
      for (const relation of parseRelations(fieldOf(text, start, end, 'Provides') ?? '').flat()) {
        push(provided, relation.name, span);
      }
    }
  }
  const parsed = new Map<Span, DebianPackage>();
  const load = (span: Span): DebianPackage => {
    const known = parsed.get(span) ?? parsePackage(span);
    parsed.set(span, known);
    return known;
  };
  return {
    named: (name) => (names.get(name) ?? []).map(load),
    providing: (name) => (provided.get(name) ?? []).map(load),
  };
}

function* stanzas(text: Buffer): Generator<{ start: number; end: number }> {
  let start = 0;
  while (start < text.length) {
    const gap = text.indexOf('\n\n', start);
    const end = gap < 0 ? text.length : gap + 1;
    if (end > start + 1) yield { start, end };
    start = end + 1;
  }
}

/** A field of one line, without parsing the rest. */
function fieldOf(text: Buffer, start: number, end: number, name: string): string | undefined {
  const stanza = text.subarray(start, end);
  const needle = `${name}: `;
  const at = stanza.indexOf(`\n${needle}`);
  const from = at >= 0 ? at + 1 : stanza.subarray(0, needle.length).toString('latin1') === needle ? 0 : -1;
  if (from < 0) return undefined;
  const newline = stanza.indexOf(10, from);
  return stanza.toString('utf8', from + needle.length, newline < 0 ? stanza.length : newline).trim();
}

const priorities = ['required', 'important', 'standard', 'optional', 'extra'];

function parsePackage({ text, start, end, repositoryUrl }: Span): DebianPackage {
  const stanza = text.toString('utf8', start, end);
  const fields = parseStanza(stanza);
  const relations = (...names: string[]): Relation[][] =>
    names.flatMap((name) => parseRelations((fields.get(name) ?? '').replaceAll('\n', ' ')));
  const priority = priorities.indexOf(fields.get('Priority') ?? '');
  return {
    name: fields.get('Package') ?? '',
    version: fields.get('Version') ?? '',
    architecture: fields.get('Architecture') ?? '',
    path: fields.get('Filename') ?? '',
    sizeBytes: Number(fields.get('Size')),
    sha256: (fields.get('SHA256') ?? '').toLowerCase(),
    depends: relations('Pre-Depends', 'Depends'),
    conflicts: relations('Conflicts', 'Breaks').flat(),
    provides: relations('Provides').flat(),
    priority: priority < 0 ? priorities.length : priority,
    stanza,
    repositoryUrl,
  };
}

function push<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}
