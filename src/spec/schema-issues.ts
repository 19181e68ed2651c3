import * as z from 'zod';
import { findNearest } from './nearest.ts';
import type { Issue, YamlPath } from './problems.ts';

export type SchemaResult<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly issues: readonly Issue[] };

/** Checks a value read from a file; every issue says what was found and what is expected, in the reader's words. */
export function checkSchema<S extends z.ZodType>(schema: S, value: unknown): SchemaResult<z.output<S>> {
  const result = schema.safeParse(value, { error: reasonOf });
  if (result.success) return { ok: true, value: result.data };
  return { ok: false, issues: result.error.issues.flatMap((issue) => toIssues(schema, value, issue)) };
}

function toIssues(schema: z.ZodType, root: unknown, issue: z.core.$ZodIssue): Issue[] {
  const path = issue.path.map((part) => (typeof part === 'number' ? part : String(part)));
  if (issue.code === 'unrecognized_keys') {
    const known = knownKeys(schema, path);
    return issue.keys.map((key) => ({
      path: [...path, key],
      reason: 'unknown key',
      nearest: findNearest(key, known),
      onKey: true,
    }));
  }
  if (issue.code === 'invalid_key') {
    return [{ path, reason: issue.issues[0]?.message ?? issue.message, onKey: true }];
  }
  if (issue.code === 'invalid_value') {
    const found = valueAt(root, path);
    const allowed = issue.values.map(String);
    return [
      { path, reason: issue.message, nearest: typeof found === 'string' ? findNearest(found, allowed) : undefined },
    ];
  }
  return [{ path, reason: issue.message }];
}

function reasonOf(issue: z.core.$ZodRawIssue): string | undefined {
  const { input } = issue;
  switch (issue.code) {
    case 'invalid_type':
      if (input === undefined) return `missing; expected ${fieldTypeOf(issue) ?? expectedWords(issue.expected)}`;
      return `expected ${expectedWords(issue.expected)}, found ${foundWords(input, issue.expected)}`;
    case 'invalid_value': {
      const allowed = `expected ${issue.values.length === 1 ? '' : 'one of '}${issue.values.map(String).join(', ')}`;
      return input === undefined ? `missing; ${allowed}` : `${allowed}; found ${foundWords(input, 'string')}`;
    }
    case 'too_small':
      if (issue.origin === 'number') return `must be at least ${issue.minimum}; found ${Number(input)}`;
      return issue.minimum === 1 ? 'must not be empty' : `must have at least ${issue.minimum} entries`;
    case 'too_big':
      if (issue.origin === 'number') return `must be at most ${issue.maximum}; found ${Number(input)}`;
      return `must have at most ${issue.maximum} entries; found ${Array.isArray(input) ? input.length : 'more'}`;
    case 'invalid_union':
      return 'must be made of text, numbers, true, false, null, lists and maps';
    default:
      return undefined;
  }
}

/** What the documentation calls the type of the field, where the schema says more than its YAML type. */
function fieldTypeOf(issue: z.core.$ZodRawIssue): string | undefined {
  return issue.inst instanceof z.ZodType ? z.globalRegistry.get(issue.inst)?.fieldType : undefined;
}

function expectedWords(expected: string): string {
  const words: Record<string, string> = {
    string: 'text',
    number: 'a number',
    int: 'a whole number',
    boolean: 'true or false',
    object: 'a map',
    record: 'a map',
    array: 'a list',
  };
  return words[expected] ?? expected;
}

/** A scalar is quoted only where a scalar is expected: elsewhere it may be a secret in the wrong place. */
function foundWords(input: unknown, expected: string): string {
  if (input === null) return 'nothing';
  if (Array.isArray(input)) return 'a list';
  if (typeof input === 'object') return 'a map';
  const quote = !['object', 'record', 'array'].includes(expected);
  if (typeof input === 'string') return quote ? `"${input}"` : 'text';
  if (typeof input !== 'number' && typeof input !== 'boolean') return `a ${typeof input}`;
  const advice = expected === 'string' ? ' (put it in quotes to make it text)' : '';
  return quote ? `the ${typeof input} ${String(input)}${advice}` : `a ${typeof input}`;
}

function valueAt(root: unknown, path: YamlPath): unknown {
  return path.reduce<unknown>(
    (value, part) =>
      typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[part] : undefined,
    root,
  );
}

/** The keys that the map at the path may hold. */
function knownKeys(schema: z.ZodType, path: YamlPath): string[] {
  let current: z.core.$ZodType | undefined = unwrap(schema);
  for (const part of path) {
    if (current instanceof z.ZodObject) current = current.shape[String(part)] as z.core.$ZodType | undefined;
    else if (current instanceof z.ZodArray) current = current.element;
    else if (current instanceof z.ZodRecord) current = current.valueType;
    else return [];
    if (current === undefined) return [];
    current = unwrap(current);
  }
  if (current instanceof z.ZodRecord && current.keyType instanceof z.ZodEnum)
    return current.keyType.options.map(String);
  return current instanceof z.ZodObject ? Object.keys(current.shape) : [];
}

/** The schema inside optional, default and preprocess. */
export function unwrap(schema: z.core.$ZodType): z.core.$ZodType {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault) {
    return unwrap(schema.unwrap());
  }
  return schema instanceof z.ZodPipe ? unwrap(schema.out) : schema;
}
