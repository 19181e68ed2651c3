import { InternalError } from '../errors.ts';

/** Values by name. Filled into placeholders when a script is made, never before. */
export type Secrets = ReadonlyMap<string, string>;

const pattern = /\{\{secret:([a-z0-9][a-z0-9-]*)\}\}/g;

/** Text that stands for a secret in steps, plans, diffs and logs. */
export function secretPlaceholder(name: string): string {
  return `{{secret:${name}}}`;
}

export function hasPlaceholder(text: string): boolean {
  return text.search(pattern) !== -1;
}

/** Throws InternalError where a placeholder has no value: a phase forgot its `before`. */
export function fillSecrets(text: string, secrets: Secrets): string {
  return text.replaceAll(pattern, (_, name: string) => {
    const value = secrets.get(name);
    if (value === undefined) throw new InternalError(`no value for the placeholder of secret "${name}"`);
    return value;
  });
}
