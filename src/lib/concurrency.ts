import { abortReason } from './deadline.ts';

/** Lets at most `limit` pieces of work run at once; the others wait in the order they came. */
export interface Limiter {
  /** Runs `work` when a place is free. Rejects with the signal's reason where that aborts while waiting for a place. */
  run<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T>;
  readonly active: number;
  readonly waiting: number;
}

/** Makes a limiter of `limit` places; a limit below 1 is a RangeError. */
export function createLimiter(limit: number): Limiter {
  if (!(limit >= 1)) throw new RangeError(`a limit of ${limit} would let nothing run`);
  let active = 0;
  const waiting: (() => void)[] = [];

  const enter = (signal: AbortSignal | undefined): Promise<void> => {
    if (signal?.aborted) return Promise.reject(abortReason(signal));
    if (active < limit) {
      active += 1;
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      const start = (): void => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      };
      const onAbort = (): void => {
        waiting.splice(waiting.indexOf(start), 1);
        reject(abortReason(signal));
      };
      waiting.push(start);
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  };

  const leave = (): void => {
    // The place passes straight to the next in line, so nobody arriving in between can overtake it.
    const next = waiting.shift();
    if (next) next();
    else active -= 1;
  };

  return {
    get active() {
      return active;
    },
    get waiting() {
      return waiting.length;
    },
    async run(work, signal) {
      await enter(signal);
      try {
        return await work();
      } finally {
        leave();
      }
    },
  };
}

/**
 * Calls `work` for every item, at most `limit` at once, and returns how each ended, in the order of the items.
 * A failure stops nothing else. Items not started when the signal aborts end as rejected with the signal's reason.
 */
export async function mapConcurrent<T, R>(
  items: readonly T[],
  limit: number,
  work: (item: T, index: number) => Promise<R>,
  signal?: AbortSignal,
): Promise<PromiseSettledResult<R>[]> {
  const limiter = createLimiter(limit);
  return Promise.allSettled(items.map((item, index) => limiter.run(() => work(item, index), signal)));
}
