import { pollUntil } from '../engine/poll.ts';
import type { RunContext } from '../engine/phase.ts';
import { InstallerError } from '../errors.ts';
import type { Host } from '../hosts/host.ts';
import type { Answers, Query } from '../ops/query.ts';

/** Something that must become true of a cluster, as the control plane sees it. */
export interface Condition {
  readonly id: string;
  readonly description: string;
  readonly timeoutMs: number;
  readonly intervalMs: number;
  readonly queries: readonly Query[];
  /**
   * Asked before the queries from the second look on: ends when the condition probably holds, and after a few seconds in
   * any case. Its answer is not judged. It spares the control plane a look a second while its pods start.
   */
  readonly blockOn?: Query;
  /** Undefined when it holds, else why not yet. */
  judge(seen: Answers): string | undefined;
  /** Asked where it does not come true: what else a reader should see. */
  readonly explain?: { readonly queries: readonly Query[]; readonly render: (seen: Answers) => readonly string[] };
  /** What to do where it does not come true. */
  readonly remedy: string;
}

/** Waits for all conditions together: one round trip an interval answers every one of them. Fails with the reasons of all that do not hold. */
export async function waitForConditions(
  host: Host,
  conditions: readonly Condition[],
  context: RunContext,
): Promise<void> {
  const startedAt = performance.now();
  let open = conditions;
  let looks = 0;
  await pollUntil({
    id: conditions.map(({ id }) => id).join('+'),
    description: conditions.map(({ description }) => description).join(', '),
    timeoutMs: Math.max(...conditions.map(({ timeoutMs }) => timeoutMs)),
    intervalMs: Math.min(...conditions.map(({ intervalMs }) => intervalMs)),
    context,
    async attempt() {
      const seen = await host.observeOnce(
        [
          ...(looks === 0 ? [] : open.flatMap(({ blockOn }) => blockOn ?? []).slice(0, 1)),
          ...open.flatMap(({ queries }) => queries),
        ],
        { signal: context.signal },
      );
      looks += 1;
      const met = open.filter((condition) => condition.judge(seen) === undefined);
      const elapsedMs = Math.round(performance.now() - startedAt);
      for (const { id, description } of met) {
        context.emitter.emit({ type: 'condition.met', condition: id, description, elapsedMs });
      }
      open = open.filter((condition) => !met.includes(condition));
      return open.length === 0
        ? undefined
        : open.map((condition) => `${condition.id}: ${condition.judge(seen) ?? ''}`).join('; ');
    },
    async failure(reason) {
      return new InstallerError({
        code: 'CONDITION_NOT_MET',
        host: host.name,
        message: `not in time: ${reason}`,
        remedy: open.map(({ remedy }) => remedy).join('; '),
        details: await explain(host, open),
      });
    },
  });
}

async function explain(host: Host, conditions: readonly Condition[]): Promise<string[]> {
  const explains = conditions.flatMap((condition) => (condition.explain === undefined ? [] : [condition.explain]));
  if (explains.length === 0) return [];
  const seen = await host.observeOnce(explains.flatMap(({ queries }) => queries)).catch(() => undefined);
  return seen === undefined ? [] : explains.flatMap(({ render }) => render(seen));
}
