type Plain = Readonly<Record<string, unknown>>;

/** `over` laid over `base`: objects are merged by key, all else (lists too) is replaced. Neither is changed. */
export function mergeDeep(base: Plain, over: Plain): Record<string, unknown> {
  const result: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const below = result[key];
    result[key] = isPlain(below) && isPlain(value) ? mergeDeep(below, value) : value;
  }
  return result;
}

export function isPlain(value: unknown): value is Plain {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
