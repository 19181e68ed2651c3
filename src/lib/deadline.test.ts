import { getEventListeners } from 'node:events';
import { describe, expect, it, vi } from 'vitest';
import { DeadlineError, sleep, withDeadline } from './deadline.ts';

const never = (): Promise<never> => new Promise(() => undefined);

describe('withDeadline', () => {
  it('returns the result and leaves neither timer nor listener', async () => {
    vi.useFakeTimers();
    try {
      const controller = new AbortController();
      await expect(withDeadline(() => Promise.resolve(1), 1000, { signal: controller.signal })).resolves.toBe(1);
      expect(vi.getTimerCount()).toBe(0);
      expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
    } finally {
      vi.useRealTimers();
    }
  });

  it('passes on the error of the work', async () => {
    await expect(withDeadline(() => Promise.reject(new Error('broken')), 1000)).rejects.toThrow('broken');
  });

  it('rejects at the deadline and tells the work to stop', async () => {
    let inner: AbortSignal | undefined;
    const late = withDeadline(
      (signal) => {
        inner = signal;
        return never();
      },
      5,
      { timeoutError: () => new Error('too late') },
    );
    await expect(late).rejects.toThrow('too late');
    expect(inner?.reason).toMatchObject({ message: 'too late' });
  });

  it('rejects with a DeadlineError where none is given', async () => {
    await expect(withDeadline(never, 5)).rejects.toBeInstanceOf(DeadlineError);
  });

  it('rejects with the reason of the outer signal, at once', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    let inner: AbortSignal | undefined;
    const aborted = withDeadline(
      (signal) => {
        inner = signal;
        return never();
      },
      60_000,
      { signal: controller.signal },
    );
    controller.abort(reason);
    await expect(aborted).rejects.toBe(reason);
    expect(inner?.aborted).toBe(true);
  });

  it('does not start the work where the signal has aborted before', async () => {
    const work = vi.fn(never);
    await expect(withDeadline(work, 1000, { signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow(
      'enough',
    );
    expect(work).not.toHaveBeenCalled();
  });
});

describe('sleep', () => {
  it('ends with the reason when the signal aborts', async () => {
    const controller = new AbortController();
    const sleeping = sleep(60_000, controller.signal);
    controller.abort('text');
    await expect(sleeping).rejects.toThrow('text');
  });

  it('rejects at once on a signal that has aborted before', async () => {
    await expect(sleep(60_000, AbortSignal.abort())).rejects.toMatchObject({ name: 'AbortError' });
  });
});
