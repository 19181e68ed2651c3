import { randomBytes } from 'node:crypto';
import { createServer, type ServerResponse } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { sendBytes } from './send-bytes.ts';

const content = randomBytes(3_000_000);
const servers: ReturnType<typeof createServer>[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

/** A server that answers with `sendBytes` of a range; how that ended is a promise for each request. */
async function serve(
  endByte: number,
  readInto: (memory: Buffer, position: number) => Promise<number>,
): Promise<{ readonly port: number; readonly ended: Promise<unknown>[] }> {
  const ended: Promise<unknown>[] = [];
  const answer = (response: ServerResponse): Promise<unknown> => {
    response.writeHead(200, { 'content-length': endByte - 7 });
    return sendBytes(response, { startByte: 7, endByte }, readInto).catch((error: unknown) => {
      response.destroy();
      return error;
    });
  };
  const server = createServer((_, response) => void ended.push(answer(response)));
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { port: (server.address() as AddressInfo).port, ended };
}

function readContent(memory: Buffer, position: number): Promise<number> {
  // What was there before must not be what somebody still waits for.
  memory.fill(0);
  return Promise.resolve(content.copy(memory, 0, position));
}

it('sends the range, to many at once, also where they take it slowly', async () => {
  const { port } = await serve(content.length, readContent);
  const slowly = async (): Promise<Buffer> => {
    const response = await fetch(`http://127.0.0.1:${port}/`);
    const pieces: Uint8Array[] = [];
    for await (const piece of response.body ?? []) {
      pieces.push(piece as Uint8Array);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    return Buffer.concat(pieces);
  };

  const got = await Promise.all([slowly(), slowly(), slowly()]);

  expect(got.map((bytes) => bytes.equals(content.subarray(7)))).toEqual([true, true, true]);
});

it('sends an empty range', async () => {
  const { port, ended } = await serve(7, readContent);

  expect((await (await fetch(`http://127.0.0.1:${port}/`)).arrayBuffer()).byteLength).toBe(0);
  expect(await ended[0]).toBeUndefined();
});

it('breaks the answer off where the file ends too early', async () => {
  const { port, ended } = await serve(content.length + 100, readContent);

  await expect(fetch(`http://127.0.0.1:${port}/`).then((response) => response.arrayBuffer())).rejects.toThrow();
  expect(await ended[0]).toMatchObject({ message: 'the file ends 100 bytes too early' });
});

it('stops reading where the client goes away', async () => {
  const { port, ended } = await serve(Number.MAX_SAFE_INTEGER, (memory) => Promise.resolve(memory.length));
  const client = connect(port, '127.0.0.1', () => client.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n'));
  await new Promise((resolve) => client.once('data', resolve));
  client.destroy();

  await expect.poll(() => ended.length).toBe(1);
  expect(await ended[0]).toBeInstanceOf(Error);
});
