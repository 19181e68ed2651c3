import { once } from 'node:events';
import { createServer, Socket, type AddressInfo } from 'node:net';

export interface Endpoint {
  readonly host: string;
  /** 0 lets the system choose when listening. */
  readonly port: number;
}

export interface DelayProxyOptions {
  readonly listen: Endpoint;
  readonly target: Endpoint;
  /** Time that data takes in each direction: a round trip costs twice this. */
  readonly delayMs: number;
}

export interface DelayProxy {
  readonly address: string;
  readonly port: number;
  /** Connections accepted so far. */
  connections(): number;
  /** Resets all open connections, as a broken line would; new ones are accepted. */
  killConnections(): void;
  close(): Promise<void>;
}

/**
 * A long line in user space: a TCP proxy that keeps every piece of data back for `delayMs`, in order and without limiting the
 * rate. The handshake is paid for too: the target is reached as late as it would be over such a line.
 */
export async function delayProxy({ listen, target, delayMs }: DelayProxyOptions): Promise<DelayProxy> {
  const open = new Set<Socket>();
  let accepted = 0;
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    accepted++;
    const remote = new Socket({ allowHalfOpen: true });
    remote.setNoDelay(true);
    open.add(client).add(remote);
    bindEnds(client, remote, open);
    // Three packets of the handshake, each of which the line would have kept back before the server takes the connection.
    const handshakeMs = delayMs * 3;
    const connected = performance.now() + handshakeMs;
    const opening = setTimeout(() => remote.connect(target), handshakeMs);
    client.once('close', () => clearTimeout(opening));
    forward(client, remote, () => Math.max(performance.now() + delayMs, connected + 1));
    forward(remote, client, () => performance.now() + delayMs);
  });
  server.listen({ host: listen.host, port: listen.port });
  await once(server, 'listening');
  const { address, port } = server.address() as AddressInfo;
  return {
    address,
    port,
    connections: () => accepted,
    killConnections() {
      for (const socket of open) socket.resetAndDestroy();
    },
    async close() {
      for (const socket of open) socket.destroy();
      await new Promise<void>((settle) => server.close(() => settle()));
    },
  };
}

/** Passes data and end on, each at the time that `dueAt` gives when it arrives; times never go back, so the order is kept. */
function forward(from: Socket, to: Socket, dueAt: () => number): void {
  const queue: { readonly due: number; readonly data: Buffer | undefined }[] = [];
  let timer: NodeJS.Timeout | undefined;
  const pump = (): void => {
    timer = undefined;
    for (let first = queue[0]; first; first = queue[0]) {
      if (to.destroyed) return;
      const waitMs = first.due - performance.now();
      if (waitMs > 0) {
        timer = setTimeout(pump, Math.ceil(waitMs));
        return;
      }
      queue.shift();
      if (first.data) to.write(first.data);
      else to.end();
    }
  };
  const enqueue = (data?: Buffer): void => {
    queue.push({ due: dueAt(), data });
    if (!timer) pump();
  };
  from.on('data', enqueue);
  from.once('end', () => enqueue());
}

/** A side that breaks breaks the other; a side that ends in peace lets what is on the line arrive. */
function bindEnds(a: Socket, b: Socket, open: Set<Socket>): void {
  for (const [socket, peer] of [
    [a, b],
    [b, a],
  ] as const) {
    socket.on('error', () => socket.destroy());
    socket.once('close', (hadError) => {
      open.delete(socket);
      if (hadError) peer.resetAndDestroy();
    });
  }
}
