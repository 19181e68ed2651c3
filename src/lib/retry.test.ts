import { describe, expect, it } from 'vitest';
import { backoffMs, retry, StopRetry } from './retry.ts';

const timing = { baseDelayMs: 100, maxDelayMs: 1000 };
const noSleep = (): Promise<void> => Promise.resolve();

describe('backoffMs', () => {
  it.each([
    { attempt: 1, random: 0, expected: 50 },
    { attempt: 1, random: 0.999, expected: 100 },
    { attempt: 2, random: 0, expected: 100 },
    { attempt: 3, random: 0.5, expected: 300 },
    { attempt: 4, random: 0, expected: 400 },
    { attempt: 9, random: 0, expected: 500 },
    { attempt: 2000, random: 0.999, expected: 1000 },
  ])('waits $expected ms after try $attempt with randomness $random', ({ attempt, random, expected }) => {
    expect(backoffMs(attempt, timing, () => random)).toBe(expected);
  });
});

describe('retry', () => {
  it('returns the first success and waits longer each time', async () => {
    const waits: number[] = [];
    const result = await retry(
      (attempt) => (attempt < 4 ? Promise.reject(new Error('no')) : Promise.resolve(attempt)),
      {
        ...timing,
        attempts: 5,
        random: () => 0,
        sleep: (ms) => {
          waits.push(ms);
          return Promise.resolve();
        },
      },
    );
    expect(result).toBe(4);
    expect(waits).toEqual([50, 100, 200]);
  });

  it('throws the last error when all tries are used', async () => {
    let tries = 0;
    const failing = retry(() => Promise.reject(new Error(`try ${(tries += 1)}`)), {
      ...timing,
      attempts: 3,
      sleep: noSleep,
    });
    await expect(failing).rejects.toThrow('try 3');
    expect(tries).toBe(3);
  });

  it('does not repeat what shouldRetry rules out', async () => {
    let tries = 0;
    const failing = retry(() => Promise.reject(Object.assign(new Error('no'), { tries: (tries += 1) })), {
      ...timing,
      attempts: 3,
      sleep: noSleep,
      shouldRetry: () => false,
    });
    await expect(failing).rejects.toThrow('no');
    expect(tries).toBe(1);
  });

  it('stops at once at StopRetry and throws the error inside it', async () => {
    const inner = new Error('final');
    const failing = retry(() => Promise.reject(new StopRetry(inner)), { ...timing, attempts: 3, sleep: noSleep });
    await expect(failing).rejects.toBe(inner);
  });

  it('ends its wait when the signal aborts', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    const failing = retry(() => Promise.reject(new Error('no')), {
      attempts: 3,
      baseDelayMs: 60_000,
      maxDelayMs: 60_000,
      signal: controller.signal,
      onRetry: () => setTimeout(() => controller.abort(reason), 5),
    });
    await expect(failing).rejects.toBe(reason);
  });

  it('tells of each failed try before its wait', async () => {
    const told: unknown[] = [];
    await retry((attempt) => (attempt < 2 ? Promise.reject(new Error('no')) : Promise.resolve()), {
      ...timing,
      attempts: 2,
      random: () => 0,
      sleep: noSleep,
      onRetry: (error, attempt, delayMs) => told.push([(error as Error).message, attempt, delayMs]),
    });
    expect(told).toEqual([['no', 1, 50]]);
  });
});
