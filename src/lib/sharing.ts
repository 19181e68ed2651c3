/**
 * Copies values so that equal texts in them are one, and none is a piece of a longer one, which it would keep in memory whole.
 * Hosts are alike: most of what they say is said by all.
 */
export function createSharing(): <Value>(value: Value) => Value {
  const known = new Map<string, string>();
  const textOf = (text: string): string => {
    const found = known.get(text);
    if (found !== undefined) return found;
    const own = Buffer.from(text).toString();
    known.set(own, own);
    return own;
  };
  const copy = (value: unknown): unknown => {
    if (typeof value === 'string') return textOf(value);
    if (typeof value !== 'object' || value === null) return value;
    if (Array.isArray(value)) return value.map(copy);
    if (value instanceof Set) return new Set([...value].map(copy));
    if (value instanceof Map) return new Map([...value].map(([key, item]) => [copy(key), copy(item)]));
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, copy(item)]));
  };
  return (value) => copy(value) as typeof value;
}
