import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';

/** A loopback port that passes bytes on to another one, slower or not at all: the network between installer and host. */
export interface Link {
  readonly port: number;
  /** Connections open now. */
  readonly open: number;
  /** Connections accepted so far. */
  readonly accepted: number;
  /** Cuts every connection with a reset, as a crashed host or a dead router in between would. */
  cut(): void;
  /** From now on nothing passes, and nobody is told: a pulled cable. */
  freeze(): void;
  stop(): Promise<void>;
}

export interface LinkOptions {
  /** Delay of every byte in each direction. */
  readonly delayMs?: number | undefined;
  /** Accept connections but never pass anything: a port behind which nobody speaks. */
  readonly silent?: boolean | undefined;
  /** Close so many of the first connections at once, as sshd does at MaxStartups. */
  readonly dropFirst?: number | undefined;
}

/** Starts a link to `targetPort` on loopback. */
export async function startLink(targetPort: number, options: LinkOptions = {}): Promise<Link> {
  const { delayMs = 0, silent = false, dropFirst = 0 } = options;
  const sockets = new Set<Socket>();
  let frozen = false;
  let accepted = 0;

  const track = (socket: Socket): void => {
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
  };

  const pass = (from: Socket, to: Socket): void => {
    const later = (act: () => void): void => {
      if (delayMs === 0) act();
      else setTimeout(act, delayMs);
    };
    from.on('data', (chunk) => {
      if (frozen) return;
      later(() => {
        if (!to.destroyed && !to.write(chunk) && delayMs === 0) {
          from.pause();
          to.once('drain', () => from.resume());
        }
      });
    });
    from.on('end', () => {
      if (!frozen) later(() => to.end());
    });
    from.on('close', () => {
      if (!frozen) later(() => to.destroy());
    });
  };

  const server = createServer((socket) => {
    accepted += 1;
    track(socket);
    if (accepted <= dropFirst) {
      socket.destroy();
      return;
    }
    if (silent) {
      // Reads, so that the end of the connection is noticed.
      socket.resume();
      return;
    }
    const upstream = connect(targetPort, '127.0.0.1');
    track(upstream);
    pass(socket, upstream);
    pass(upstream, socket);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', 1024, resolve);
  });
  const cut = (): void => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  return {
    port: (server.address() as AddressInfo).port,
    get open() {
      return sockets.size;
    },
    get accepted() {
      return accepted;
    },
    cut,
    freeze() {
      frozen = true;
    },
    async stop() {
      cut();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
}
