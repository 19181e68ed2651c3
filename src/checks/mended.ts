import type { Cluster } from '../kubernetes/cluster.ts';
import type { Prospects } from '../tuning/prospects.ts';
import type { Severity } from '../report/events.ts';

/** What counts here of a finding. */
interface FoundOn {
  readonly host?: string;
  readonly actual: string;
  readonly severity?: Severity;
  readonly remedy?: string;
}

/**
 * Makes information of findings that are over once prepare-hosts has done what the cluster file says. `again` makes the same
 * check on other facts. Where it finds something else on a host then, all that it found there stays.
 */
export function settleMended<One extends FoundOn>(
  found: readonly One[],
  prospects: Prospects,
  again: (cluster: Cluster) => readonly FoundOn[],
): readonly One[] {
  if (found.every(isTold) || prospects.settings().length === 0) return found;
  const isOver = over(found, again(prospects.after()));
  if (!found.some((one) => !isTold(one) && isOver(one))) return found;
  const settled = new Map<string, (one: FoundOn) => boolean>();
  const byItself = (setting: string): ((one: FoundOn) => boolean) => {
    const known = settled.get(setting) ?? over(found, again(prospects.after(setting)));
    settled.set(setting, known);
    return known;
  };
  return found.map((one) => {
    if (isTold(one) || !isOver(one)) return one;
    const all = prospects.settings(one.host);
    const alone = all.filter((setting) => byItself(setting)(one));
    return { ...one, severity: 'info', remedy: willBeDone(alone.length === 0 ? all : alone) };
  });
}

/** Nothing to mend: it is information already. */
function isTold({ severity }: FoundOn): boolean {
  return severity === 'info';
}

/** Whether a finding is among those `now` and not among those `then`. */
function over(now: readonly FoundOn[], then: readonly FoundOn[]): (one: FoundOn) => boolean {
  const textsOf = (list: readonly FoundOn[]): Map<string | undefined, Set<string>> =>
    new Map(
      [...Map.groupBy(list, ({ host }) => host)].map(([host, some]) => [
        host,
        new Set(some.map(({ actual }) => actual)),
      ]),
    );
  const before = textsOf(now);
  const left = textsOf(then.filter((one) => !isTold(one)));
  return ({ host, actual }) => {
    const texts = left.get(host) ?? new Set();
    return !texts.has(actual) && [...texts].every((text) => before.get(host)?.has(text) === true);
  };
}

/** `settings`: fields below spec.hostSettings. */
export function willBeDone(settings: readonly string[]): string {
  const fields = settings.map((setting) => `spec.hostSettings.${setting}`).join(' and ');
  return `nothing to do: will be changed by prepare-hosts, as ${fields} says`;
}
