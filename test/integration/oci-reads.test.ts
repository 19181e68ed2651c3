import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, get, type RequestListener } from 'node:http';
import { createServer as createTlsServer, get as getSecurely } from 'node:https';
import { connect, createServer as createTcpServer, type AddressInfo, type Server as TcpServer } from 'node:net';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { PassThrough } from 'node:stream';
import { join } from 'node:path';
import { setImmediate as nextTurn, setTimeout as wait } from 'node:timers/promises';
import type { IncomingMessage } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { createAgent } from '../../src/oci/agent.ts';
import { reusedReads } from '../../src/oci/reused-reads.ts';
import { serverCertificate } from '../lab/upstream/certificates.ts';

const bodies = [randomBytes(12_000_000), randomBytes(20_000), randomBytes(300), randomBytes(5_000_000)];
const answer: RequestListener = (request, response) => {
  const body = bodies[Number(request.url?.slice(1))] ?? Buffer.alloc(0);
  response.writeHead(200, { 'content-length': body.length }).end(body);
};
const closing: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function listen(server: TcpServer): Promise<string> {
  await once(server.listen(0, '127.0.0.1'), 'listening');
  closing.push(() => server.close());
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function startPlain(): Promise<{ url: string; ca?: string }> {
  return { url: `http://${await listen(createServer(answer))}` };
}

async function startTls(): Promise<{ url: string; ca?: string }> {
  const dir = await mkdtemp(join(tmpdir(), 'oci-reads-'));
  closing.push(() => rm(dir, { recursive: true, force: true }));
  const files = await serverCertificate(dir, ['127.0.0.1']);
  const [cert, key, ca] = await Promise.all(
    [files.certificate, files.key, files.ca].map((path) => readFile(path, 'utf8')),
  );
  return { url: `https://${await listen(createTlsServer({ cert, key }, answer))}`, ca: ca ?? '' };
}

describe.each([
  ['http', startPlain],
  ['https', startTls],
])('connections that read into the same memory: %s', (scheme, start) => {
  it('gives every piece for good, whoever is slow to take it', async () => {
    const { url, ca } = await start();
    const agent = createAgent(`${scheme}:`, { ca, maxConnections: 1 }, () => []);
    closing.push(() => {
      agent.destroy();
    });
    // One connection after the other, so that each answer follows another on it.
    for (const [index, body] of [...bodies.entries(), ...bodies.entries()]) {
      const request = scheme === 'http' ? get : getSecurely;
      const [response] = (await once(request(`${url}/${index}`, { agent }), 'response')) as [IncomingMessage];
      // As node-fetch hands a body on: its small buffers let the connection stop and start all the time.
      const stream = response.pipe(new PassThrough());
      const pieces: Buffer[] = [];
      stream.on('data', (piece: Buffer) => {
        pieces.push(piece);
        if (pieces.length % 3 > 0) return;
        stream.pause();
        void nextTurn().then(() => nextTurn().then(() => stream.resume()));
      });
      await once(stream, 'end');
      // Looked at when all is over: a piece that was lent would hold other bytes by now.
      const digest = createHash('sha256').update(Buffer.concat(pieces)).digest('hex');
      expect(digest).toBe(createHash('sha256').update(body).digest('hex'));
    }
  });
});

it('reads nothing over what a connection keeps because nobody listens', async () => {
  const pieces = [randomBytes(20_000), randomBytes(20_000), randomBytes(20_000)];
  const server = createTcpServer((socket) => {
    void (async () => {
      for (const piece of pieces) {
        socket.write(piece);
        await wait(20);
      }
      socket.end();
    })();
  });
  const [host = '', port] = (await listen(server)).split(':');
  const socket = connect({ host, port: Number(port), onread: reusedReads() });
  await once(socket, 'connect');
  socket.pause();
  while (socket.readableLength < 60_000) {
    socket.read(0);
    await wait(5);
  }

  const kept: Buffer[] = [];
  socket.on('data', (piece: Buffer) => kept.push(piece)).resume();
  await once(socket, 'end');

  expect(Buffer.concat(kept).equals(Buffer.concat(pieces))).toBe(true);
});
