import type { CommandSeen, Seen } from '../ops/query.ts';

/** What one host missed while all listened and probed (see ops/peer-probe). Peers have their names here; times are the host's. */
export interface PeerReport {
  /** Why the host took no part, or did not come to its end; what is below is empty then. */
  readonly missing: string | undefined;
  /** Milliseconds since the epoch by the host's clock: when it began to probe, listened, and ended. */
  readonly startMs: number;
  readonly upMs: number;
  readonly endMs: number;
  /** TCP ports of peers that were not reached (see pairKey). */
  readonly unreached: ReadonlySet<string>;
  /** What peers were to send and did not arrive, by peer, protocol and port. */
  readonly silent: ReadonlySet<string>;
  /** Peers whose large datagram did not arrive in one piece. */
  readonly silentLarge: ReadonlySet<string>;
  /** Microseconds of a TCP handshake, by peer; quick ones are left out. */
  readonly slow: ReadonlyMap<string, number>;
  /** Ports that could not be listened on: `tcp/6443`. */
  readonly deaf: ReadonlySet<string>;
  /** What came of the connection to the endpoint: open, refused, or why there was none; absent where it was not asked for. */
  readonly endpoint?: string;
}

/** Names have no blanks. */
export function pairKey(peer: string, protocol: 'tcp' | 'udp', port: number): string {
  return `${peer} ${protocol}/${port}`;
}

/** The report of a host that did not take part. */
export function missingReport(why: string): PeerReport {
  const none = { startMs: 0, upMs: 0, endMs: 0, unreached: new Set<string>(), silent: new Set<string>() };
  return { ...none, missing: why, silentLarge: new Set(), slow: new Map(), deaf: new Set() };
}

/** `names`: of the peers, by their number. */
export function parsePeerReport(seen: Seen<CommandSeen>, names: readonly string[]): PeerReport {
  if (seen.state === 'absent') return missingReport('it has no bash');
  if (seen.state === 'unknown') return missingReport(`the probe did not come to its end (${seen.reason})`);
  const lines = seen.value.stdout.split('\n').map((line) => line.split(' '));
  const times = new Map(lines.map(([word = '', value]) => [word, Number(value)]));
  const [startMs, upMs, endMs] = [times.get('start'), times.get('up'), times.get('end')];
  if (startMs === undefined || upMs === undefined || endMs === undefined)
    return missingReport(`the probe did not come to its end (${seen.value.stderr.trim().slice(0, 200)})`);
  const unreached = new Set<string>();
  const silent = new Set<string>();
  const silentLarge = new Set<string>();
  const slow = new Map<string, number>();
  const deaf = new Set<string>();
  let endpoint: string | undefined;
  for (const [kind, first = '', second = '', ...rest] of lines) {
    const peer = names[Number(first)] ?? '';
    if (kind === 'o') unreached.add(pairKey(peer, 'tcp', Number(second)));
    else if (kind === 't') silent.add(pairKey(peer, 'tcp', Number(second)));
    else if (kind === 'u') silent.add(pairKey(peer, 'udp', Number(second)));
    else if (kind === 'm') silentLarge.add(peer);
    else if (kind === 'slow') slow.set(peer, Math.min(Number(second), slow.get(peer) ?? Number.POSITIVE_INFINITY));
    else if (kind === 'deaf') deaf.add(`${first}/${second}`);
    else if (kind === 'endpoint') endpoint = [first, second, ...rest].join(' ').trim();
    // What is still waited for at the end of the window.
    else if (kind === 'e') endpoint = 'timed out';
  }
  const report = { missing: undefined, startMs, upMs, endMs, unreached, silent, silentLarge, slow, deaf };
  return endpoint === undefined ? report : { ...report, endpoint };
}
