/**
 * The URL with its host exchanged for the base URL that `mirrors` gives for it (spec.artifacts.mirrors, by host or
 * host:port); path and query stay behind the base's own path. A host without a mirror leaves the URL as it is.
 */
export function mirrorUrl(url: string, mirrors: Readonly<Record<string, string>>): string {
  const parsed = new URL(url);
  const base = Object.hasOwn(mirrors, parsed.host) ? mirrors[parsed.host] : undefined;
  if (base === undefined) return url;
  return `${base.replace(/\/+$/, '')}${parsed.pathname}${parsed.search}`;
}
