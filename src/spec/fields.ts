import * as z from 'zod';
import { unwrap } from './schema-issues.ts';

/** One field of a file, as its documentation shows it. */
export interface FieldDoc {
  /** `spec.hosts[].name`; `<host>` stands for a key that the user chooses. */
  readonly path: string;
  readonly type: string;
  /** What the field is where it is left out; absent for a field that must be given. */
  readonly fallback?: string;
  readonly description: string;
}

/** Every field of the schema, parents before children; a map that stands in two places is listed at the first. */
export function listFields(schema: z.ZodType): FieldDoc[] {
  return childrenOf(schema, '', new Map());
}

type Listed = Map<z.core.$ZodType, string>;

function childrenOf(schema: z.core.$ZodType, path: string, listed: Listed): FieldDoc[] {
  const inner = unwrap(schema);
  if (metaOf(schema).fieldType !== undefined || listed.has(inner)) return [];
  if (inner instanceof z.ZodArray) return childrenOf(inner.element, `${path}[]`, listed);
  if (inner instanceof z.ZodRecord) {
    return childrenOf(inner.valueType, `${path}.<${typeOf(inner.keyType, listed)}>`, listed);
  }
  if (!(inner instanceof z.ZodObject)) return [];
  listed.set(inner, path);
  return Object.entries(inner.shape as Record<string, z.core.$ZodType>).flatMap(([key, field]) => {
    const fieldPath = path === '' ? key : `${path}.${key}`;
    const fallback = fallbackOf(field);
    const doc: FieldDoc = {
      path: fieldPath,
      type: typeOf(field, listed),
      description: metaOf(field).description ?? '',
      ...(fallback === undefined ? {} : { fallback }),
    };
    return [doc, ...childrenOf(field, fieldPath, listed)];
  });
}

function typeOf(schema: z.core.$ZodType, listed: Listed): string {
  const { fieldType } = metaOf(schema);
  if (fieldType !== undefined) return fieldType;
  const inner = unwrap(schema);
  const place = listed.get(inner);
  if (place !== undefined) return `as ${place}`;
  if (inner instanceof z.ZodEnum) return inner.options.map((option) => `\`${String(option)}\``).join(' or ');
  if (inner instanceof z.ZodLiteral) return [...inner.values].map((value) => `\`${String(value)}\``).join(' or ');
  if (inner instanceof z.ZodArray) return `list of ${typeOf(inner.element, listed)}`;
  if (inner instanceof z.ZodRecord)
    return `map of ${typeOf(inner.keyType, listed)} to ${typeOf(inner.valueType, listed)}`;
  if (inner instanceof z.ZodBoolean) return '`true` or `false`';
  if (inner instanceof z.ZodNumber) return 'number';
  return inner instanceof z.ZodString ? 'text' : 'map';
}

function fallbackOf(schema: z.core.$ZodType): string | undefined {
  const { fieldDefault } = metaOf(schema);
  if (fieldDefault !== undefined) return fieldDefault;
  if (schema instanceof z.ZodDefault) {
    const value: unknown = schema.def.defaultValue;
    const isEmpty = typeof value === 'object' && value !== null && Object.keys(value).length === 0;
    if (isEmpty) return 'empty';
    return `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``;
  }
  if (schema instanceof z.ZodPrefault) return 'the defaults below';
  return schema instanceof z.ZodOptional ? 'none' : undefined;
}

/** What the schema says of itself, or else the schema inside its optional or default. */
function metaOf(schema: z.core.$ZodType): z.GlobalMeta {
  const own = schema instanceof z.ZodType ? (z.globalRegistry.get(schema) ?? {}) : {};
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault) {
    return { ...metaOf(schema.unwrap()), ...own };
  }
  return own;
}
