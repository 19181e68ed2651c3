import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

/** One usable line of a known_hosts file. */
export interface KnownHostsEntry {
  /** Number of the line in the file, from 1. */
  readonly line: number;
  readonly revoked: boolean;
  /** The host patterns as written: `a,b`, `[a]:2222`, `*.example.org,!x`, `|1|salt|hash`. */
  readonly patterns: string;
  readonly keyType: string;
  readonly key: Buffer;
}

/** A line that takes no part in matching, and why. */
export interface IgnoredLine {
  readonly line: number;
  readonly reason: string;
}

export interface KnownHosts {
  readonly entries: readonly KnownHostsEntry[];
  readonly ignored: readonly IgnoredLine[];
}

export interface HostEndpoint {
  readonly address: string;
  readonly port: number;
}

export type HostKeyVerdict =
  | { readonly kind: 'known'; readonly entry: KnownHostsEntry }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'changed'; readonly entry: KnownHostsEntry }
  | { readonly kind: 'revoked'; readonly entry: KnownHostsEntry };

/** Parses the text of a known_hosts file. Never throws: what is not understood is returned as ignored. Format: sshd(8). */
export function parseKnownHosts(text: string): KnownHosts {
  const entries: KnownHostsEntry[] = [];
  const ignored: IgnoredLine[] = [];
  for (const [index, raw] of text.split('\n').entries()) {
    const line = index + 1;
    const content = raw.trim();
    if (content === '' || content.startsWith('#')) continue;
    const fields = content.split(/[ \t]+/);
    const marker = fields[0]?.startsWith('@') ? fields.shift() : undefined;
    const [patterns, keyType, base64] = fields;
    if (marker === '@cert-authority') {
      ignored.push({ line, reason: 'host certificates (@cert-authority) are not supported' });
    } else if (marker !== undefined && marker !== '@revoked') {
      ignored.push({ line, reason: `the marker ${marker} is not known` });
    } else if (patterns === undefined || keyType === undefined || base64 === undefined) {
      ignored.push({ line, reason: 'the line has no host, key type and key' });
    } else {
      const key = Buffer.from(base64, 'base64');
      if (keyTypeOf(key) === keyType) {
        entries.push({ line, revoked: marker === '@revoked', patterns, keyType, key });
      } else {
        ignored.push({ line, reason: `the key is not a ${keyType} key` });
      }
    }
  }
  return { entries, ignored };
}

/**
 * Judges the key that a host presents. A host that has recorded keys but presents one of another type counts as changed:
 * the recorded types are asked for first, so an honest host would have presented one of those.
 */
export function judgeHostKey(known: KnownHosts, endpoint: HostEndpoint, key: Buffer): HostKeyVerdict {
  const entries = entriesOf(known, endpoint);
  const revoked = entries.find((entry) => entry.revoked && entry.key.equals(key));
  if (revoked) return { kind: 'revoked', entry: revoked };
  const valid = entries.filter((entry) => !entry.revoked);
  const same = valid.find((entry) => entry.key.equals(key));
  if (same) return { kind: 'known', entry: same };
  const keyType = keyTypeOf(key);
  const other = valid.find((entry) => entry.keyType === keyType) ?? valid[0];
  if (other) return { kind: 'changed', entry: other };
  // ssh(1) also accepts, on any port, a key recorded for the bare address; it never calls that key changed.
  const bare = entriesOf(known, { address: endpoint.address, port: 22 });
  const bareRevoked = bare.find((entry) => entry.revoked && entry.key.equals(key));
  if (bareRevoked) return { kind: 'revoked', entry: bareRevoked };
  const bareSame = bare.find((entry) => entry.key.equals(key));
  return bareSame ? { kind: 'known', entry: bareSame } : { kind: 'unknown' };
}

/** Key types recorded for the host, in the order of the file, without repeats. */
export function knownKeyTypes(known: KnownHosts, endpoint: HostEndpoint): string[] {
  const own = entriesOf(known, endpoint).filter((entry) => !entry.revoked);
  const bare = entriesOf(known, { address: endpoint.address, port: 22 }).filter((entry) => !entry.revoked);
  return [...new Set((own.length > 0 ? own : bare).map((entry) => entry.keyType))];
}

/** The name under which a host is looked up and recorded: the address, or `[address]:port` for a port other than 22. */
export function knownHostsName(endpoint: HostEndpoint): string {
  const address = endpoint.address.toLowerCase();
  return endpoint.port === 22 ? address : `[${address}]:${endpoint.port}`;
}

/** One line for the file, without line end. */
export function renderKnownHostsLine(endpoint: HostEndpoint, key: Buffer): string {
  return `${knownHostsName(endpoint)} ${keyTypeOf(key) ?? 'unknown'} ${key.toString('base64')}`;
}

/** `SHA256:…` as ssh-keygen -l prints it. */
export function fingerprint(key: Buffer): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`;
}

/** The type named at the start of a public key in wire format (RFC 4253, 6.6); undefined where there is none. */
export function keyTypeOf(key: Buffer): string | undefined {
  if (key.length < 4) return undefined;
  const end = 4 + key.readUInt32BE(0);
  return end <= key.length ? key.toString('latin1', 4, end) : undefined;
}

function entriesOf(known: KnownHosts, endpoint: HostEndpoint): readonly KnownHostsEntry[] {
  const name = knownHostsName(endpoint);
  const { byName, others } = indexOf(known);
  const own = byName.get(name) ?? [];
  const matching = others.filter((entry) => matchesPatterns(name, entry.patterns));
  return matching.length === 0 ? own : [...own, ...matching].sort((a, b) => a.line - b.line);
}

interface Index {
  /** Entries of one plain name, which most are: each host of a run is looked up among those of all the others. */
  readonly byName: ReadonlyMap<string, readonly KnownHostsEntry[]>;
  readonly others: readonly KnownHostsEntry[];
}

const indexes = new WeakMap<KnownHosts, Index>();

function indexOf(known: KnownHosts): Index {
  const made = indexes.get(known);
  if (made !== undefined) return made;
  const isPlain = ({ patterns }: KnownHostsEntry): boolean => !/^\||[,!*?]/.test(patterns);
  const plain = known.entries.filter(isPlain);
  const index = {
    byName: Map.groupBy(plain, ({ patterns }) => patterns.toLowerCase()),
    others: known.entries.filter((entry) => !isPlain(entry)),
  };
  indexes.set(known, index);
  return index;
}

function matchesPatterns(name: string, patterns: string): boolean {
  if (patterns.startsWith('|')) return matchesHash(name, patterns);
  let matched = false;
  for (const pattern of patterns.toLowerCase().split(',')) {
    if (pattern.startsWith('!')) {
      if (matchesWildcard(name, pattern.slice(1))) return false;
    } else if (matchesWildcard(name, pattern)) {
      matched = true;
    }
  }
  return matched;
}

function matchesHash(name: string, pattern: string): boolean {
  const [, version, salt, hash] = pattern.split('|');
  if (version !== '1' || salt === undefined || hash === undefined) return false;
  const expected = Buffer.from(hash, 'base64');
  const actual = createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest();
  return expected.length === actual.length && timingSafeEqual(expected, actual);
}

function matchesWildcard(name: string, pattern: string): boolean {
  if (!/[*?]/.test(pattern)) return name === pattern;
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replace(/\*+/g, '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`).test(name);
}
