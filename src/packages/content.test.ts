import { createHash } from 'node:crypto';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { inPieces } from '../../test/support/package-repositories.ts';
import { collect, unpacked, verified, type Expected } from './content.ts';

const text = 'Package: a\nVersion: 1\n\n';
/** What `xz` makes of the text. */
const xz = Buffer.from(
  '/Td6WFoAAATm1rRGAgAhARwAAAAQz1jMAQAWUGFja2FnZTogYQpWZXJzaW9uOiAxCgoAANJyOA8mri8JAAEvF4EISbEftvN9AQAAAAAEWVo=',
  'base64',
);

function expected(content: Buffer, url: string): Expected {
  const digest = createHash('sha256').update(content).digest('hex');
  return { url, algorithm: 'sha256', digest, sizeBytes: content.length };
}

/** Reads packed content through the check of its digest, in small pieces. */
async function read(content: Buffer, url: string, wanted = expected(content, url)): Promise<string> {
  return (await collect(unpacked(verified(inPieces(content, 7), wanted), url))).toString();
}

describe('an index', () => {
  test.each([
    ['Packages', Buffer.from(text)],
    ['Packages.gz', gzipSync(text)],
    ['Packages.zst', zstdCompressSync(text)],
    ['Packages.xz', xz],
  ])('is read from %s, in pieces of any size', async (name, content) => {
    expect(await read(content, name)).toBe(text);
  });

  test.each([
    ['Packages', Buffer.from(text)],
    ['Packages.gz', gzipSync(text)],
    ['Packages.zst', zstdCompressSync(text)],
    ['Packages.xz', xz],
  ])('of %s that is another one, shorter or longer, is refused for that', async (name, content) => {
    const wanted = expected(content, name);
    const wrong = { code: 'REPOSITORY_CONTENT_WRONG' };
    const digest = 'f'.repeat(64);
    await expect(read(content, name, { ...wanted, digest })).rejects.toMatchObject(wrong);
    await expect(read(content.subarray(0, -5), name, wanted)).rejects.toMatchObject(wrong);
    await expect(read(Buffer.concat([content, Buffer.alloc(9)]), name, wanted)).rejects.toMatchObject(wrong);
  });

  test.each(['Packages.gz', 'Packages.zst', 'Packages.xz'])('of %s that makes no sense is refused', async (name) => {
    const content = Buffer.from('<html>Log in to the network</html>');
    await expect(read(content, name)).rejects.toMatchObject({
      code: 'REPOSITORY_CONTENT_WRONG',
      message: expect.stringContaining('cannot be unpacked') as string,
    });
  });

  test('whose connection breaks gives the reason of the connection', async () => {
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield await Promise.resolve(xz.subarray(0, 20));
      throw new Error('connection reset');
    }
    for (const name of ['Packages.gz', 'Packages.xz', 'Packages']) {
      await expect(collect(unpacked(broken(), name))).rejects.toThrow('connection reset');
    }
  });
});
