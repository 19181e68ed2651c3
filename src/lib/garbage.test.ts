import { constants, PerformanceObserver } from 'node:perf_hooks';
import { describe, expect, it } from 'vitest';
import { collectGarbageOf, noteYoungGarbage } from './garbage.ts';

describe('noteYoungGarbage', () => {
  it('keeps the memory behind dropped buffers at a few megabytes', () => {
    const before = process.memoryUsage().arrayBuffers;
    let most = 0;
    for (let count = 0; count < 400; count += 1) {
      const piece = Buffer.alloc(1024 * 1024, count);
      noteYoungGarbage(piece.length);
      most = Math.max(most, process.memoryUsage().arrayBuffers - before);
    }

    expect(most).toBeLessThan(24 * 1024 * 1024);
  });

  it('keeps what is still used', () => {
    const pieces = Array.from({ length: 40 }, (_, count) => {
      const piece = Buffer.alloc(1024 * 1024, count);
      noteYoungGarbage(piece.length);
      return piece;
    });

    expect(pieces.map((piece) => piece[piece.length - 1])).toEqual(Array.from({ length: 40 }, (_, count) => count));
  });
});

describe('collectGarbageOf', () => {
  it('lets go of what nobody holds, however old it is, and keeps the rest', async () => {
    const texts: (readonly string[] | undefined)[] = [0, 1].map((which) =>
      Array.from({ length: 1000 }, (_, count) => `${which} ${count}`),
    );
    const [dropped, held] = texts.map((value) => new WeakRef(value as object));
    collectGarbageOf(100);
    texts[0] = undefined;
    // A WeakRef holds what it refers to until the end of the turn in which it was made.
    await new Promise((resolve) => setImmediate(resolve));

    collectGarbageOf(100);

    expect(dropped?.deref()).toBeUndefined();
    expect(held?.deref()).toBe(texts[1]);
  });

  it.each([
    [3, 0],
    [100, 1],
  ])('of %i hosts collects %i times', async (hosts, times) => {
    let forced = 0;
    const observer = new PerformanceObserver((list) => {
      const details = list.getEntries() as unknown as readonly { readonly detail: { readonly flags: number } }[];
      const flags = details.map(({ detail }) => detail.flags);
      forced += flags.filter((each) => (each & constants.NODE_PERFORMANCE_GC_FLAGS_FORCED) !== 0).length;
    });
    observer.observe({ entryTypes: ['gc'] });

    collectGarbageOf(hosts);
    // Entries come in a later turn.
    await new Promise((resolve) => setTimeout(resolve, 50));
    observer.disconnect();

    expect(forced).toBe(times);
  });
});
