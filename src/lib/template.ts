/** Fills `${name}` in a template. A name without a value, or a value that is not used, is a TypeError: a defect of ours. */
export function fillTemplate(template: string, values: Readonly<Record<string, string>>): string {
  const unused = new Set(Object.keys(values));
  const text = template.replaceAll(/\$\{([a-zA-Z]+)\}/g, (_, name: string) => {
    const value = values[name];
    if (value === undefined) throw new TypeError(`the template has no value for ${name}`);
    unused.delete(name);
    return value;
  });
  if (unused.size > 0) throw new TypeError(`the template does not use ${[...unused].join(', ')}`);
  return text;
}
