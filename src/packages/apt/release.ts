import { parseStanza } from './stanza.ts';

/** What a Release file says of the repository and its indexes. */
export interface Release {
  readonly codename: string | undefined;
  readonly suite: string | undefined;
  readonly architectures: readonly string[];
  readonly components: readonly string[];
  /** Milliseconds since the epoch, after which the indexes are too old; undefined where it never says so. */
  readonly validUntilMs: number | undefined;
  /** Whether packages for all architectures stand only in an index of their own. */
  readonly hasIndexForAll: boolean;
  readonly acquireByHash: boolean;
  /** By path below the suite's folder. */
  readonly files: ReadonlyMap<string, { readonly sha256: string; readonly sizeBytes: number }>;
}

/** Parses Release (or the text of InRelease). Source: Debian wiki, "DebianRepository/Format". */
export function parseRelease(text: string): Release {
  const fields = parseStanza(text);
  const words = (name: string): string[] => (fields.get(name) ?? '').split(/\s+/).filter((word) => word !== '');
  const architectures = words('Architectures');
  const validUntil = Date.parse(fields.get('Valid-Until') ?? '');
  return {
    codename: fields.get('Codename'),
    suite: fields.get('Suite'),
    architectures,
    // Debian security names its components after the archive: updates/main.
    components: words('Components').map((name) => name.slice(name.lastIndexOf('/') + 1)),
    validUntilMs: Number.isNaN(validUntil) ? undefined : validUntil,
    hasIndexForAll: architectures.includes('all') && !words('No-Support-for-Architecture-all').includes('Packages'),
    acquireByHash: fields.get('Acquire-By-Hash') === 'yes',
    files: parseChecksums(fields.get('SHA256') ?? ''),
  };
}

function parseChecksums(field: string): Release['files'] {
  const entries = field.split('\n').flatMap((line): [string, { sha256: string; sizeBytes: number }][] => {
    const [sha256 = '', size = '', path] = line.trim().split(/\s+/);
    if (path === undefined || !/^[0-9a-f]{64}$/.test(sha256) || !/^\d+$/.test(size)) return [];
    return [[path, { sha256, sizeBytes: Number(size) }]];
  });
  return new Map(entries);
}
