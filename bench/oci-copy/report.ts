import { median, reportGoal } from '../lib/goal.ts';
import { groups, type Peer, type Step } from './peers.ts';

export interface Sample {
  readonly seconds: number;
  readonly requests: number;
  /** Undefined where a shell with many processes was measured. */
  readonly peakMb: number | undefined;
}

/** What a line between us and the registry makes of the goals. */
export interface Goals {
  /** Our time by that of the best peer, at most. */
  readonly ratio: number;
  readonly ratioAgain: number;
  /** Seconds for all images where everything is there. */
  readonly againSeconds: number | undefined;
}

export const loopbackGoals: Goals = { ratio: 1, ratioAgain: 1, againSeconds: 0.6 };
export const slowGoals: Goals = { ratio: 0.833, ratioAgain: 0.5, againSeconds: undefined };

/** Prints every step with all who did it, and a line for each goal. Returns whether all were met. */
export function report(
  peers: readonly Peer[],
  samplesOf: (step: Step, name: string) => readonly Sample[],
  { ratio, ratioAgain, againSeconds }: Goals,
  itemsOf: (step: Step, name: string) => number,
): boolean {
  let isMet = true;
  const goal = (...given: Parameters<typeof reportGoal>): void => {
    isMet = reportGoal(...given) && isMet;
  };
  for (const step of groups.flatMap((group): Step[] => [group, `${group} again`])) {
    const rows = peers.flatMap(({ name, role }) => {
      const samples = samplesOf(step, name);
      return samples.length === 0 ? [] : [{ name, role, samples, seconds: median(samples.map((one) => one.seconds)) }];
    });
    const best = Math.min(...rows.filter(({ role }) => role === 'peer').map(({ seconds }) => seconds));
    if (rows.length === 0) continue;
    process.stdout.write(`\n${step}\n`);
    for (const { name, seconds, samples } of rows) {
      const requests = median(samples.map((one) => one.requests));
      const peak = peakOf(samples);
      const times = samples.map((one) => one.seconds.toFixed(2)).join(' ');
      process.stdout.write(
        `  ${name.padEnd(13)} ${seconds.toFixed(2)} s (${times}), ${(seconds / best).toFixed(2)} x the best peer, ${requests} requests${
          peak === undefined ? '' : `, peak memory ${peak.toFixed(0)} MB`
        }\n`,
      );
    }
    const isAgain = step.endsWith('again');
    for (const { name, seconds, samples } of rows.filter(({ role }) => role === 'ours')) {
      const what = `${step} by ${name}`;
      if (Number.isFinite(best))
        goal(`${what}, against the best peer`, seconds / best, isAgain ? ratioAgain : ratio, '');
      if (isAgain && againSeconds !== undefined) goal(what, seconds, againSeconds, 's');
      // One for each, and one that asks for the API.
      if (isAgain) goal(`${what}, requests`, median(samples.map((one) => one.requests)), itemsOf(step, name) + 1, '');
      goal(`${what}, peak memory`, peakOf(samples) ?? Number.NaN, 200, 'MB');
    }
  }
  return isMet;
}

function peakOf(samples: readonly Sample[]): number | undefined {
  const peaks = samples.flatMap(({ peakMb }) => peakMb ?? []);
  return peaks.length === 0 ? undefined : Math.max(...peaks);
}
