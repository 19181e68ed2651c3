import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A proxy below HTTP that breaks connections in the midst of bytes. */
export interface CuttingProxy {
  readonly host: string;
  /** Bytes passed on so far, in the direction that is cut. */
  readonly passedBytes: number;
  readonly cuts: number;
  close(): Promise<void>;
}

/** A line that is slower than both of its ends: else megabytes wait in the buffers of the system, and a cut loses them too. */
const bytesPerMs = 25_000;

/**
 * Passes connections on to a port of this machine. Whenever so many bytes have gone in a direction as the next offset says
 * (counted over all connections), every connection is reset right there. That direction is as slow as a line of 200 Mbit/s.
 */
export async function startCuttingProxy(
  targetPort: number,
  direction: 'down' | 'up',
  offsets: readonly number[],
): Promise<CuttingProxy> {
  const left = [...offsets].sort((a, b) => a - b);
  const sockets = new Set<Socket>();
  let passedBytes = 0;
  let cuts = 0;
  const cutAll = (): void => {
    cuts += 1;
    left.shift();
    for (const socket of sockets) socket.resetAndDestroy();
    sockets.clear();
  };
  /** When the line has room again. */
  let freeAt = 0;
  const pass = (from: Socket, to: Socket, isCounted: boolean): void => {
    const carry = (chunk: Buffer): void => {
      const next = left[0];
      if (!isCounted || next === undefined || passedBytes + chunk.length < next) {
        if (isCounted) passedBytes += chunk.length;
        if (!to.write(chunk)) from.pause();
        else from.resume();
        return;
      }
      const part = chunk.subarray(0, Math.max(0, next - passedBytes));
      passedBytes += part.length;
      from.pause();
      // Written out first, so that the cut is where the offset says.
      to.write(part, cutAll);
    };
    from.on('data', (chunk: Buffer) => {
      if (!isCounted) {
        carry(chunk);
        return;
      }
      from.pause();
      const now = performance.now();
      freeAt = Math.max(now, freeAt) + chunk.length / bytesPerMs;
      setTimeout(() => {
        if (!to.destroyed) carry(chunk);
      }, freeAt - now);
    });
    to.on('drain', () => from.resume());
    from.on('end', () => to.end());
    from.on('error', () => to.destroy());
    from.on('close', () => {
      sockets.delete(from);
      to.destroy();
    });
  };
  const server = createServer((client) => {
    const upstream = connect(targetPort, '127.0.0.1');
    sockets.add(client).add(upstream);
    pass(client, upstream, direction === 'up');
    pass(upstream, client, direction === 'down');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    get passedBytes() {
      return passedBytes;
    },
    get cuts() {
      return cuts;
    },
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => {
          resolve();
        });
      }),
  };
}
