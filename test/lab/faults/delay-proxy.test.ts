import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { delayProxy } from './delay-proxy.ts';

const cleanUp: (() => unknown)[] = [];

afterEach(async () => {
  for (const act of cleanUp.splice(0)) await act();
});

async function serve(onConnection: (socket: Socket) => void): Promise<Server> {
  const server = createServer({ allowHalfOpen: true }, onConnection).listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanUp.push(() => server.close());
  return server;
}

async function proxyTo(server: Server, delayMs: number): ReturnType<typeof delayProxy> {
  const target = { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
  const proxy = await delayProxy({ listen: { host: '127.0.0.1', port: 0 }, target, delayMs });
  cleanUp.push(() => proxy.close());
  return proxy;
}

test('a greeting comes after two round trips, an answer after one', async () => {
  const server = await serve((socket) => {
    socket.write('hello');
    socket.pipe(socket);
  });
  const proxy = await proxyTo(server, 30);
  const started = performance.now();
  const socket = connect(proxy.port, '127.0.0.1');
  await once(socket, 'data');
  const greeted = performance.now();
  socket.write('x');
  await once(socket, 'data');
  const answered = performance.now();
  socket.destroy();
  expect(greeted - started).toBeGreaterThanOrEqual(119);
  expect(answered - greeted).toBeGreaterThanOrEqual(59);
  expect(proxy.connections()).toBe(1);
});

test('everything arrives in order, sent before the line is up and after one end closed', async () => {
  const sent = Array.from({ length: 500 }, (_, index) => `line ${index}\n`).join('');
  const server = await serve((socket) => void socket.pipe(socket));
  const proxy = await proxyTo(server, 5);
  const socket = connect({ port: proxy.port, host: '127.0.0.1', allowHalfOpen: true });
  for (const line of sent.split(/(?<=\n)/)) socket.write(line);
  socket.end();
  let received = '';
  for await (const data of socket) received += String(data);
  expect(received).toBe(sent);
});

test('killed connections end with a reset, and so does one whose target refuses', async () => {
  const server = await serve((socket) => {
    socket.on('error', () => undefined);
    socket.write('hello');
  });
  const proxy = await proxyTo(server, 0);
  const socket = connect(proxy.port, '127.0.0.1');
  await once(socket, 'data');
  const failed = endedByError(socket);
  proxy.killConnections();
  expect(await failed).toBe(true);

  const target = { host: '127.0.0.1', port: 1 };
  const broken = await delayProxy({ listen: { host: '127.0.0.1', port: 0 }, target, delayMs: 0 });
  cleanUp.push(() => broken.close());
  expect(await endedByError(connect(broken.port, '127.0.0.1'))).toBe(true);
});

async function endedByError(socket: Socket): Promise<boolean> {
  socket.on('error', () => undefined);
  return new Promise((settle) => socket.once('close', settle));
}
