import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';

/**
 * The server's end of a connection over a long line: every piece of data is kept back for `delayMs` in each direction. It is
 * made when the three packets of the TCP handshake would have passed such a line. Without a proxy between, since the servers
 * share their cores with what is measured.
 */
export function delayed(socket: Socket, delayMs: number): Promise<Duplex> {
  socket.setNoDelay(true);
  const readyAt = performance.now() + 3 * delayMs;
  const stream = new Duplex({
    allowHalfOpen: false,
    read() {
      // Data is pushed when it has passed the line.
    },
    write(chunk: Buffer, _encoding, done) {
      setTimeout(() => {
        if (!socket.destroyed) socket.write(chunk);
      }, delayMs);
      done();
    },
    final(done) {
      setTimeout(() => socket.end(), delayMs);
      done();
    },
    destroy(error, done) {
      setTimeout(() => socket.destroy(), delayMs);
      done(error);
    },
  });
  const waiting = new Set<NodeJS.Timeout>();
  socket.on('data', (chunk) => {
    const waitMs = Math.max(delayMs, readyAt - performance.now() + 1);
    const timer = setTimeout(() => {
      waiting.delete(timer);
      if (!stream.destroyed) stream.push(chunk);
    }, waitMs);
    waiting.add(timer);
  });
  socket.on('error', () => stream.destroy());
  socket.on('close', () => {
    for (const timer of waiting) clearTimeout(timer);
    stream.destroy();
  });
  return new Promise((resolve) => {
    setTimeout(() => resolve(stream), 3 * delayMs);
  });
}
