import type { Cluster, Member } from './cluster.ts';

/** How far the host's clock is ahead of the installer's, in milliseconds: it was read half a round trip after the host was asked. */
export function clockOffsetMs({ facts }: Member): number | undefined {
  const { clockMs, askedAtMs, roundTripMs = 0 } = facts;
  return clockMs === undefined || askedAtMs === undefined ? undefined : clockMs - askedAtMs - roundTripMs / 2;
}

/** How far each clock is ahead of the median of all, in milliseconds, by name of the host; without those that were not read. */
export function clockErrors(cluster: Cluster): ReadonlyMap<string, number> {
  const rows = cluster.members.flatMap((member): [string, number][] => {
    const offsetMs = clockOffsetMs(member);
    return offsetMs === undefined ? [] : [[member.config.name, offsetMs]];
  });
  const sorted = rows.map(([, offsetMs]) => offsetMs).toSorted((a, b) => a - b);
  const median = sorted[Math.floor((sorted.length - 1) / 2)] ?? 0;
  return new Map(rows.map(([name, offsetMs]) => [name, offsetMs - median]));
}
