/** What failed between two hosts; names of hosts. */
export interface FailedPair {
  readonly from: string;
  readonly to: string;
}

/** What failed, under the name of the host that is to be looked at. */
export interface Blamed {
  readonly host: string;
  /** True: others do not reach it. False: it does not reach others. */
  readonly isTarget: boolean;
  readonly others: readonly string[];
}

/**
 * Puts failures between pairs of hosts down to single hosts. `tried` are all pairs that were tried. A host that nobody reaches is
 * at fault itself; one that reaches nobody, where others reach the same targets, too. What is left is told at the target.
 */
export function blame(failed: readonly FailedPair[], tried: readonly FailedPair[]): Blamed[] {
  const failedTo = Map.groupBy(failed, ({ to }) => to);
  const failedFrom = Map.groupBy(failed, ({ from }) => from);
  const triedTo = Map.groupBy(tried, ({ to }) => to);
  const triedFrom = Map.groupBy(tried, ({ from }) => from);
  const isFull = (some: Map<string, readonly unknown[]>, all: Map<string, readonly unknown[]>, name: string): boolean =>
    (some.get(name)?.length ?? 0) === (all.get(name)?.length ?? 0);
  const reachesNobody = (name: string): boolean =>
    isFull(failedFrom, triedFrom, name) && (triedFrom.get(name)?.length ?? 0) > 1;
  const byHost = new Map<string, { host: string; isTarget: boolean; others: string[] }>();
  for (const { from, to } of failed) {
    const isTarget = isFull(failedTo, triedTo, to) || !reachesNobody(from);
    const host = isTarget ? to : from;
    const key = `${host} ${isTarget}`;
    const entry = byHost.get(key) ?? { host, isTarget, others: [] };
    byHost.set(key, entry);
    entry.others.push(isTarget ? from : to);
  }
  // In the order of the file, whoever answered first.
  const order = [...new Set(tried.flatMap(({ from, to }) => [from, to]))];
  return [...byHost.values()].map((entry) => ({
    ...entry,
    others: entry.others.toSorted((a, b) => order.indexOf(a) - order.indexOf(b)),
  }));
}

/** `a, b and 7 more`. */
export function namesOf(names: readonly string[]): string {
  const shown = names.slice(0, 5).join(', ');
  return names.length > 5 ? `${shown} and ${names.length - 5} more` : shown;
}
