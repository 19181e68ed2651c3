import * as z from 'zod';
import type { JsonObject } from './config.ts';
import { type Check, checkEnvironmentName, checkPath, checkServerName } from './formats.ts';

declare module 'zod' {
  interface GlobalMeta {
    /** Type of the field as the documentation names it, where the schema alone does not say it. */
    fieldType?: string;
    /** Default as the documentation names it, where it is no plain value of the schema. */
    fieldDefault?: string;
  }
}

export type TextSchema = z.ZodString;

/** A string that passes the check; the check's sentence is the error. */
export function text(check: Check, fieldType: string): TextSchema {
  return z
    .string()
    .check((context) => {
      const reason = check(context.value);
      if (reason !== undefined) context.issues.push({ code: 'custom', message: reason, input: context.value });
    })
    .meta({ fieldType });
}

export const path = text(checkPath, 'path');

export const port = z.number().int().min(1).max(65_535).meta({ fieldType: 'port' });

const secretForm = 'a secret is never written in this file; name where to read it: { env: NAME } or { file: path }';

/** Exactly one of `env` and `file`. */
export const secretSource = z
  .strictObject(
    {
      env: text(checkEnvironmentName, 'name').optional().describe('Environment variable of the installer.'),
      file: path.optional().describe('File whose content, without its last line break, is the secret.'),
    },
    { error: (issue) => (issue.code === 'invalid_type' ? secretForm : undefined) },
  )
  .check((context) => {
    const { env, file } = context.value;
    if ((env === undefined) !== (file === undefined)) return;
    context.issues.push({ code: 'custom', message: 'give exactly one of env and file', input: context.value });
  })
  .meta({ fieldType: 'secret' });

const jsonObject: z.ZodType<JsonObject> = z.record(z.string(), z.json());

/** Settings of another program, passed on as they are. */
export const freeForm = jsonObject.meta({ fieldType: 'free-form map' });

/** A map from a registry or download host to the value. */
export function byServer<T extends z.ZodType>(value: T): z.ZodRecord<TextSchema, T> {
  return z.record(text(checkServerName, 'host'), value);
}
