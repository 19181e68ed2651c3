import {
  type Document,
  LineCounter,
  type Node,
  type Pair,
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  parseAllDocuments,
  visit,
} from 'yaml';
import { messageOf } from '../errors.ts';
import type { FileProblem, Issue, YamlPath } from './problems.ts';
import { formatPath } from './problems.ts';

/** A YAML text that was read, with the way back from a path to its line and column. */
export interface YamlText {
  readonly value: unknown;
  /** The problem with its place: that of the value, of the key where `onKey`, or of the nearest thing around it. */
  readonly locate: (issue: Issue) => FileProblem;
}

export type YamlResult =
  { readonly ok: true; readonly yaml: YamlText } | { readonly ok: false; readonly problems: readonly FileProblem[] };

/**
 * Reads one YAML 1.2 document; merge keys (`<<`) and anchors are resolved, every map key is a string. Syntax errors,
 * duplicate keys, unknown tags, an empty text and a second document are problems.
 */
export function readYaml(text: string, file: string): YamlResult {
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false, merge: true, stringKeys: true });
  const at = (offset: number): { line: number; column: number } => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  const refuse = (offset: number, reason: string): YamlResult => ({
    ok: false,
    problems: [{ file, ...at(offset), path: '', reason }],
  });

  if (!Array.isArray(documents) || documents[0] === undefined) return refuse(0, 'the file is empty');
  const faults = documents.flatMap((document) => [...document.errors, ...document.warnings]);
  if (faults.length > 0) {
    const problems = faults.map((fault) => ({ file, ...at(fault.pos[0]), path: '', reason: yamlReason(fault) }));
    return { ok: false, problems };
  }
  const [document, second] = documents;
  if (second !== undefined) {
    return refuse(second.range[0], 'the file holds several documents; give one file for each');
  }
  const dangling = aliasesWithoutAnchor(document);
  if (dangling.length > 0) {
    const problems = dangling.map(({ offset, name }) => ({
      file,
      ...at(offset),
      path: '',
      reason: `there is no anchor &${name} above`,
    }));
    return { ok: false, problems };
  }
  let value: unknown;
  try {
    value = document.toJS();
  } catch (error) {
    return refuse(0, messageOf(error));
  }
  if (value === null) return refuse(0, 'the file is empty');
  const locate = (issue: Issue): FileProblem => ({
    file,
    ...at(offsetOf(document, issue)),
    path: formatPath(issue.path),
    reason: issue.reason,
    ...(issue.nearest === undefined ? {} : { nearest: issue.nearest }),
  });
  return { ok: true, yaml: { value, locate } };
}

function aliasesWithoutAnchor(document: Document.Parsed): { offset: number; name: string }[] {
  const dangling: { offset: number; name: string }[] = [];
  visit(document, {
    Alias: (_key, alias) => {
      if (alias.resolve(document) === undefined) dangling.push({ offset: startOf(alias) ?? 0, name: alias.source });
    },
  });
  return dangling;
}

function yamlReason(fault: { code: string; message: string }): string {
  if (fault.code === 'DUPLICATE_KEY') return 'this key stands twice in the same map';
  return `not valid YAML: ${fault.message.replace(/\.?\s*$/, '')}`;
}

function offsetOf(document: Document.Parsed, issue: Issue): number {
  let node: Node | null | undefined = document.contents;
  let offset = startOf(node) ?? 0;
  for (const [index, part] of issue.path.entries()) {
    node = isAlias(node) ? node.resolve(document) : node;
    const pair: Pair | undefined = isMap(node) ? findPair(node, part, document) : undefined;
    const child: unknown = isSeq(node) && typeof part === 'number' ? node.items[part] : pair?.value;
    const isLast = index === issue.path.length - 1;
    const keyOffset = startOf(pair?.key);
    const childOffset = isEmptyScalar(child) ? undefined : startOf(child);
    if (pair === undefined && child === undefined) return offset;
    offset = (isLast && issue.onKey === true ? keyOffset : (childOffset ?? keyOffset)) ?? offset;
    node = child as Node | null | undefined;
  }
  return offset;
}

/** The pair of a key, also one that a merge key brings in. */
function findPair(map: Node, key: string | number, document: Document.Parsed): Pair | undefined {
  if (!isMap(map)) return undefined;
  const pairs = map.items.filter((item) => isPair(item));
  const own = pairs.find((pair) => isScalar(pair.key) && pair.key.value === String(key));
  if (own !== undefined) return own;
  const merges = pairs.filter((pair) => isScalar(pair.key) && pair.key.source === '<<');
  for (const { value } of merges) {
    for (const source of isSeq(value) ? value.items : [value]) {
      const target = isAlias(source) ? source.resolve(document) : source;
      const found = isMap(target) ? findPair(target, key, document) : undefined;
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

function isEmptyScalar(node: unknown): boolean {
  return node === null || (isScalar(node) && node.value === null && (node.source ?? '') === '');
}

function startOf(node: unknown): number | undefined {
  const range = (node as { range?: YamlPath | null } | null | undefined)?.range;
  return typeof range?.[0] === 'number' ? range[0] : undefined;
}
