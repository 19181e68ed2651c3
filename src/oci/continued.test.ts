import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { continued } from './continued.ts';
import { cutShort, notFound } from './oci-errors.ts';

const bytes = Buffer.from('0123456789');
const patience = { attempts: 3, baseDelayMs: 1, maxDelayMs: 1 };

/** Opens the bytes; the nth time it breaks with the error after so many of them. */
function opener(...breaks: readonly (readonly [afterBytes: number, error: Error])[]): {
  readonly open: (startByte: number) => Promise<Readable>;
  readonly starts: number[];
} {
  const starts: number[] = [];
  const open = (startByte: number): Promise<Readable> => {
    const [after, error] = breaks[starts.length] ?? [];
    starts.push(startByte);
    return Promise.resolve(
      Readable.from(
        // eslint-disable-next-line @typescript-eslint/require-await -- what is in memory is read like what comes in
        (async function* () {
          yield bytes.subarray(startByte, after === undefined ? bytes.length : startByte + after);
          if (error !== undefined) throw error;
        })(),
        { objectMode: false },
      ),
    );
  };
  return { open, starts };
}

async function textOf(source: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks = [];
  for await (const chunk of source) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

describe('what goes on where it broke', () => {
  const cut = cutShort('x', 'y', 0, 10);

  it.each([
    ['in one go', [], [0]],
    ['behind the last byte', [[4, cut]], [0, 4]],
    ['as often as bytes come', [2, 2, 2, 2].map((after) => [after, cut] as const), [0, 2, 4, 6, 8]],
    [
      'after tries that bring nothing',
      [
        [3, cut],
        [0, cut],
        [0, cut],
      ],
      [0, 3, 3],
    ],
    ['not after the last byte', [[10, cut]], [0]],
  ] as const)('reads %s', async (what, breaks, expected) => {
    const { open, starts } = opener(...breaks);
    const read = textOf(continued(open, bytes.length, patience));
    if (what === 'after tries that bring nothing') await expect(read).rejects.toBe(cut);
    else expect(await read).toBe(bytes.toString());
    expect(starts).toEqual(expected);
  });

  it('ends at once where another try would end no differently', async () => {
    const error = notFound('x', 'y');
    const { open, starts } = opener([4, error]);
    await expect(textOf(continued(open, bytes.length, patience))).rejects.toBe(error);
    expect(starts).toEqual([0]);
  });
});
