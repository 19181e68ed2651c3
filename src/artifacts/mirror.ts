import { exitCodes, InstallerError } from '../errors.ts';

/**
 * The URL with its host exchanged for the base URL that `mirrors` gives for it (spec.artifacts.mirrors, by host or
 * host:port); path and query stay behind the base's own path. A host without a mirror leaves the URL as it is.
 * URL_HOLDS_LOGIN (exit code 2) where a user or password stands in the URL: it would go into records, logs and bundles.
 */
export function mirrorUrl(url: string, mirrors: Readonly<Record<string, string>>): string {
  const parsed = new URL(url);
  if (parsed.username !== '' || parsed.password !== '') {
    throw new InstallerError({
      code: 'URL_HOLDS_LOGIN',
      message: `an address of ${parsed.host} (${parsed.pathname}) holds a user name or password`,
      remedy: `take it out of the address, and name it under spec.artifacts.servers for ${parsed.host}`,
      exitCode: exitCodes.usage,
    });
  }
  const base = Object.hasOwn(mirrors, parsed.host) ? mirrors[parsed.host] : undefined;
  if (base === undefined) return url;
  return `${base.replace(/\/+$/, '')}${parsed.pathname}${parsed.search}`;
}
