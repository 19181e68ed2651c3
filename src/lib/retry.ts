import { abortReason, sleep } from './deadline.ts';

/** How often and how long apart something is tried. */
export interface RetryOptions {
  /** Tries in all, the first included. */
  readonly attempts: number;
  /** Wait before the second try; it doubles with every further one. */
  readonly baseDelayMs: number;
  readonly maxDelayMs: number;
  /** Whether another try could end differently; decides on fields of the error. Defaults to always. */
  readonly shouldRetry?: ((error: unknown) => boolean) | undefined;
  /** Milliseconds to wait at least before the next try, where the other side asked for that. */
  readonly atLeastMs?: ((error: unknown) => number) | undefined;
  /** Called before each wait: the error, the number of the try that failed (from 1), and the wait. */
  readonly onRetry?: ((error: unknown, attempt: number, delayMs: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** A number in [0, 1) that spreads the waits; injected so that tests are exact. */
  readonly random?: (() => number) | undefined;
  readonly sleep?: ((ms: number, signal?: AbortSignal) => Promise<void>) | undefined;
}

/** Thrown by the work to end a retry at once; the caller of `retry` gets the `error` inside. */
export class StopRetry extends Error {
  readonly error: Error;

  constructor(error: Error) {
    super(error.message, { cause: error });
    this.name = 'StopRetry';
    this.error = error;
  }
}

/**
 * Milliseconds to wait after try number `attempt` (from 1): between half and all of base × 2^(attempt-1), at most the maximum.
 * Half of it is random, so that a hundred hosts that failed together do not come back together.
 */
export function backoffMs(
  attempt: number,
  options: Pick<RetryOptions, 'baseDelayMs' | 'maxDelayMs'>,
  random: () => number,
): number {
  const full = Math.min(options.maxDelayMs, options.baseDelayMs * 2 ** (attempt - 1));
  return Math.round(full / 2 + (full / 2) * random());
}

/** Runs `work` until it succeeds, is not worth repeating, or was tried `attempts` times; then throws its last error. */
export async function retry<T>(work: (attempt: number) => Promise<T>, options: RetryOptions): Promise<T> {
  const { signal, random = Math.random } = options;
  const wait = options.sleep ?? sleep;
  for (let attempt = 1; ; attempt += 1) {
    if (signal?.aborted) throw abortReason(signal);
    try {
      return await work(attempt);
    } catch (error) {
      if (error instanceof StopRetry) throw error.error;
      const worthIt = options.shouldRetry?.(error) ?? true;
      if (!worthIt || attempt >= options.attempts || signal?.aborted) throw error;
      const delayMs = Math.max(backoffMs(attempt, options, random), options.atLeastMs?.(error) ?? 0);
      options.onRetry?.(error, attempt, delayMs);
      await wait(delayMs, signal);
    }
  }
}
