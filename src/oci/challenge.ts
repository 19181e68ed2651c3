/** What a registry asks for in WWW-Authenticate. */
export type Challenge =
  | { readonly scheme: 'basic' }
  | { readonly scheme: 'bearer'; readonly realm: string; readonly service?: string | undefined };

/**
 * Reads a WWW-Authenticate header (RFC 9110, section 11.6.1); of several challenges Bearer goes before Basic. Undefined where there is
 * none of the two.
 */
export function parseChallenge(header: string): Challenge | undefined {
  const bearer = /(?:^|[\s,])bearer\s+(.*)$/is.exec(header);
  if (bearer) {
    const parameters = parseParameters(bearer[1] ?? '');
    const realm = parameters.get('realm');
    if (realm !== undefined) return { scheme: 'bearer', realm, service: parameters.get('service') };
  }
  return /(?:^|[\s,])basic(?:\s|$)/i.test(header) ? { scheme: 'basic' } : undefined;
}

function parseParameters(text: string): Map<string, string> {
  const parameters = new Map<string, string>();
  for (const match of text.matchAll(/([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/g)) {
    const [, name = '', quoted, plain] = match;
    const key = name.toLowerCase();
    if (!parameters.has(key)) parameters.set(key, quoted?.replaceAll(/\\(.)/g, '$1') ?? plain ?? '');
  }
  return parameters;
}

/** What a token lets its bearer do: for each repository, `pull` or `pull,push`. */
export type Scopes = Readonly<Record<string, readonly string[]>>;

/** `repository:library/nginx:pull`, sorted, so that equal scopes are equal texts. */
export function formatScopes(scopes: Scopes): string[] {
  return Object.entries(scopes)
    .map(([repository, actions]) => `repository:${repository}:${[...new Set(actions)].sort().join(',')}`)
    .sort();
}

/** Whether a token for `have` is good for `want`. */
export function coversScopes(have: Scopes, want: Scopes): boolean {
  return Object.entries(want).every(([repository, actions]) =>
    actions.every((action) => have[repository]?.includes(action) === true),
  );
}
