import { describe, expect, it } from 'vitest';
import { noteYoungGarbage } from './young-garbage.ts';

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
