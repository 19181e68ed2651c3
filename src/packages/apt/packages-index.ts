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

/** A Packages file, and where its stanzas begin; each ends at an empty line. */
interface Listing {
  readonly text: Buffer;
  readonly repositoryUrl: string;
  readonly starts: readonly number[];
}

/** The number of a stanza among all. */
type Place = number;

/**
 * An index over the text of Packages files, which stays as it was read: of the tens of thousands of stanzas only the few that
 * are looked at are ever parsed, so memory is that of the text.
 */
export function indexPackages(
  files: readonly { readonly text: Buffer; readonly repositoryUrl: string }[],
): DebianIndex {
  const names = new Map<string, Place[]>();
  const provided = new Map<string, Place[]>();
  const listings: (Listing & { readonly first: Place })[] = [];
  let count = 0;
  for (const { text, repositoryUrl } of files) {
    const starts = startsOf(text);
    const first = count;
    listings.push({ text, repositoryUrl, starts, first });
    count += starts.length;
    eachField(text, 'Package', starts, (stanza, name) => push(names, name, first + stanza));
    eachField(text, 'Provides', starts, (stanza, value) => {
      for (const { name } of parseRelations(value).flat()) push(provided, name, first + stanza);
    });
  }
  const parsed = new Map<Place, DebianPackage>();
  const load = (place: Place): DebianPackage => {
    const known = parsed.get(place);
    if (known !== undefined) return known;
    const listing = listings.findLast(({ first }) => first <= place);
    if (listing === undefined) throw new RangeError(`there is no stanza ${place}`);
    const item = parsePackage(listing, place - listing.first);
    parsed.set(place, item);
    return item;
  };
  return {
    named: (name) => (names.get(name) ?? []).map(load),
    providing: (name) => (provided.get(name) ?? []).map(load),
  };
}

function startsOf(text: Buffer): number[] {
  const starts: number[] = [];
  let start = 0;
  while (start < text.length) {
    const gap = text.indexOf('\n\n', start);
    const end = gap < 0 ? text.length : gap + 1;
    if (end > start + 1) starts.push(start);
    start = end + 1;
  }
  return starts;
}

/** Calls for each stanza that has the field, with its value of one line: one walk through the text, which copies nothing else. */
function eachField(
  text: Buffer,
  name: string,
  starts: readonly number[],
  found: (stanza: number, value: string) => void,
): void {
  const needle = Buffer.from(`\n${name}: `);
  const isFirst = text.indexOf(needle.subarray(1)) === 0;
  let at = isFirst ? -1 : text.indexOf(needle);
  let stanza = 0;
  while (at >= 0 || (isFirst && stanza === 0)) {
    const from = at + needle.length;
    while ((starts[stanza + 1] ?? Infinity) <= at + 1) stanza += 1;
    const newline = text.indexOf(10, from);
    found(stanza, text.toString('utf8', from, newline < 0 ? text.length : newline).trim());
    // A field stands once in a stanza.
    stanza += 1;
    at = text.indexOf(needle, Math.max(from, (starts[stanza] ?? text.length) - 1));
  }
}

const priorities = ['required', 'important', 'standard', 'optional', 'extra'];

function parsePackage({ text, starts, repositoryUrl }: Listing, number: number): DebianPackage {
  const start = starts[number] ?? 0;
  const gap = text.indexOf('\n\n', start);
  const stanza = text.toString('utf8', start, gap < 0 ? text.length : gap + 1);
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
