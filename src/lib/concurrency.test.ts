import { describe, expect, it } from 'vitest';
import { createLimiter, mapConcurrent } from './concurrency.ts';

/** Work that ends when told to. */
function createGate(): { promise: Promise<void>; open: () => void } {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  return { promise, open: () => resolve(undefined) };
}

describe('mapConcurrent', () => {
  it('keeps the order of the items and goes on after failures', async () => {
    const results = await mapConcurrent([30, 0, 10], 3, async (ms) => {
      await new Promise((resolve) => setTimeout(resolve, ms));
      if (ms === 0) throw new Error('zero');
      return ms;
    });
    expect(results.map((result) => (result.status === 'fulfilled' ? result.value : result.status))).toEqual([
      30,
      'rejected',
      10,
    ]);
  });

  it.each([1, 3, 100])('runs at most %i at once', async (limit) => {
    let active = 0;
    let peak = 0;
    await mapConcurrent(Array.from({ length: 20 }), limit, async () => {
      active += 1;
      peak = Math.max(peak, active);
      await new Promise((resolve) => setTimeout(resolve, 1));
      active -= 1;
    });
    expect(peak).toBe(Math.min(limit, 20));
  });

  it('does not start what waits when the signal aborts, and lets the rest end', async () => {
    const controller = new AbortController();
    const started: number[] = [];
    const results = await mapConcurrent(
      [0, 1, 2],
      1,
      (item) => {
        started.push(item);
        controller.abort(new Error('enough'));
        return Promise.resolve(item);
      },
      controller.signal,
    );
    expect(started).toEqual([0]);
    expect(results.map((result) => result.status)).toEqual(['fulfilled', 'rejected', 'rejected']);
  });

  it('turns a work function that throws at once into a rejected result', async () => {
    const results = await mapConcurrent([1], 1, () => {
      throw new Error('at once');
    });
    expect(results[0]).toMatchObject({ status: 'rejected', reason: { message: 'at once' } });
  });
});

describe('createLimiter', () => {
  it('serves those who wait in the order they came', async () => {
    const limiter = createLimiter(1);
    const gate = createGate();
    const order: number[] = [];
    const all = [
      limiter.run(() => gate.promise),
      ...[1, 2, 3].map((n) =>
        limiter.run(() => {
          order.push(n);
          return Promise.resolve();
        }),
      ),
    ];
    expect([limiter.active, limiter.waiting]).toEqual([1, 3]);
    gate.open();
    await Promise.all(all);
    expect(order).toEqual([1, 2, 3]);
    expect([limiter.active, limiter.waiting]).toEqual([0, 0]);
  });

  it('gives the place back after a failure', async () => {
    const limiter = createLimiter(1);
    await expect(limiter.run(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
    await expect(limiter.run(() => Promise.resolve('yes'))).resolves.toBe('yes');
  });

  it('lets somebody who waits leave the queue without taking a place', async () => {
    const limiter = createLimiter(1);
    const gate = createGate();
    const controller = new AbortController();
    const running = limiter.run(() => gate.promise);
    const leaving = limiter.run(() => Promise.resolve('never'), controller.signal);
    const staying = limiter.run(() => Promise.resolve('served'));
    controller.abort(new Error('enough'));
    await expect(leaving).rejects.toThrow('enough');
    gate.open();
    await running;
    await expect(staying).resolves.toBe('served');
  });

  it.each([0, -1, Number.NaN])('refuses a limit of %d', (limit) => {
    expect(() => createLimiter(limit)).toThrow(RangeError);
  });
});
