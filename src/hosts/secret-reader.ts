import type { SecretSource } from '../spec/schema.ts';
import { readSecret } from '../spec/secrets.ts';

/** Reads secrets of the cluster file and tells `addSecret` each, before it is used. `owner`: for the error. */
export function secretReader(
  owner: string,
  addSecret: (value: string) => void,
): (source: SecretSource | undefined, what: string) => Promise<string | undefined> {
  return async (source, what) => {
    if (source === undefined) return undefined;
    const value = await readSecret(source, `${what} of ${owner}`);
    addSecret(value);
    return value;
  };
}
