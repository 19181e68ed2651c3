/** How a deadline ends the work it guards. */
export interface DeadlineOptions {
  /** Ends the work early; the promise then rejects with the reason of this signal. */
  readonly signal?: AbortSignal | undefined;
  /** The error that the promise rejects with when the time is over. Defaults to a DeadlineError. */
  readonly timeoutError?: (() => Error) | undefined;
}

/** The time of `withDeadline` was over. */
export class DeadlineError extends Error {
  readonly timeoutMs: number;

  constructor(timeoutMs: number) {
    super(`no result within ${timeoutMs} ms`);
    this.name = 'DeadlineError';
    this.timeoutMs = timeoutMs;
  }
}

/**
 * Runs `work` for at most `timeoutMs` milliseconds. At the deadline, or when the outer signal aborts, the promise rejects
 * at once and the signal given to `work` aborts, so that `work` can free what it holds; its late result is dropped.
 * No timer or listener outlives the promise.
 */
export function withDeadline<T>(
  work: (signal: AbortSignal) => Promise<T>,
  timeoutMs: number,
  options: DeadlineOptions = {},
): Promise<T> {
  const { signal: outer } = options;
  const inner = new AbortController();
  return new Promise<T>((resolve, reject) => {
    const settle = (finish: () => void): void => {
      clearTimeout(timer);
      outer?.removeEventListener('abort', onAbort);
      finish();
    };
    const stop = (reason: Error): void => {
      settle(() => {
        reject(reason);
      });
      inner.abort(reason);
    };
    const onAbort = (): void => {
      stop(abortReason(outer));
    };
    const timer = setTimeout(() => {
      stop(options.timeoutError?.() ?? new DeadlineError(timeoutMs));
    }, timeoutMs);
    if (outer?.aborted) {
      onAbort();
      return;
    }
    outer?.addEventListener('abort', onAbort, { once: true });
    work(inner.signal).then(
      (value) => {
        settle(() => {
          resolve(value);
        });
      },
      (error: unknown) => {
        settle(() => {
          reject(toError(error));
        });
      },
    );
  });
}

/** Resolves after `ms` milliseconds; rejects with the reason of the signal as soon as that aborts. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(abortReason(signal));
      return;
    }
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(abortReason(signal));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    }, ms);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/** The reason of an aborted signal, always as an Error. */
export function abortReason(signal: AbortSignal | undefined): Error {
  return toError(signal?.reason);
}

function toError(value: unknown): Error {
  if (value instanceof Error) return value;
  return new Error(typeof value === 'string' ? value : 'aborted', { cause: value });
}
