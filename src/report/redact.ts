export interface Redactor {
  add(value: string): void;
  redact<T>(value: T): T;
}

const placeholder = '[redacted]';

/**
 * Replaces known secrets wherever they stand in the strings of a value. Values shorter than four characters are not
 * replaced: they would blot out ordinary text, and nothing that short is a secret worth the name.
 */
export function createRedactor(): Redactor {
  const secrets = new Set<string>();

  function redactText(text: string): string {
    let result = text;
    for (const secret of secrets) result = result.replaceAll(secret, placeholder);
    return result;
  }

  function redactAny(value: unknown): unknown {
    if (typeof value === 'string') return redactText(value);
    if (Array.isArray(value)) return value.map(redactAny);
    if (value !== null && typeof value === 'object') {
      return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, redactAny(item)]));
    }
    return value;
  }

  return {
    add(value) {
      if (value.length >= 4) secrets.add(value);
    },
    redact<T>(value: T): T {
      return secrets.size === 0 ? value : (redactAny(value) as T);
    },
  };
}
