import type * as z from 'zod';
import { InvalidFileError, sortProblems } from './problems.ts';
import { checkSchema } from './schema-issues.ts';
import { readYaml } from './yaml-text.ts';

/**
 * Reads a YAML text that must fit the schema exactly. Throws InvalidFileError with all problems, each with `code`, the
 * file's name, line and column.
 */
export function parseStrictYaml<S extends z.ZodType>(schema: S, text: string, file: string, code: string): z.output<S> {
  const read = readYaml(text, file);
  if (!read.ok) throw new InvalidFileError(code, read.problems);
  const checked = checkSchema(schema, read.yaml.value);
  if (checked.ok) return checked.value;
  throw new InvalidFileError(code, sortProblems(checked.issues.map(read.yaml.locate)));
}
