import type { Duplex } from 'node:stream';
import { Client } from 'ssh2';
import { messageOf } from '../errors.ts';
import { withDeadline } from '../lib/deadline.ts';
import type { Login } from './ssh-auth.ts';
import { droppedError, handshakeTimeoutError, loginTimeoutError, protocolError } from './ssh-errors.ts';
import type { HostKeyCheck } from './ssh-host-key.ts';
import type { ConnectOptions, SshTarget } from './ssh-target.ts';

const defaultKeepaliveIntervalMs = 15_000;
const keepaliveCountMax = 3;

/** A client that is logged in. */
export interface SshConnection {
  readonly client: Client;
  /** The byte stream below it. */
  readonly sock: Duplex;
  /** Why the connection ended; undefined while it lives or where it ended in order. */
  readonly lastError: Error | undefined;
  readonly closed: boolean;
  /** Ends the connection and resolves when its socket is closed. */
  close(): Promise<void>;
}

/** Speaks SSH over `sock` up to a successful login. On failure the socket is destroyed. */
export async function logIn(
  sock: Duplex,
  target: SshTarget,
  hostKey: HostKeyCheck,
  login: Login,
  options: ConnectOptions,
): Promise<SshConnection> {
  const client = new Client();
  const state: { lastError: Error | undefined; closed: boolean } = { lastError: undefined, closed: false };
  let handshaken = false;
  const failure = (): Error => {
    const { lastError } = state;
    if (hostKey.error) return hostKey.error;
    if (handshaken) return login.failure(lastError ?? new Error('the host ended the connection during the login'));
    return lastError && levelOf(lastError) === 'handshake'
      ? protocolError(target, lastError)
      : droppedError(target, lastError);
  };
  // The listeners stay for the life of the client: an error event without one would end the process.
  client.on('error', (error) => {
    if (levelOf(error) === 'agent') login.note(`the agent fails: ${messageOf(error)}`);
    else state.lastError ??= error;
  });
  const handshake = new Promise<void>((resolve, reject) => {
    client.once('handshake', () => {
      handshaken = true;
      resolve();
    });
    client.once('close', () => reject(failure()));
  });
  const ready = new Promise<void>((resolve, reject) => {
    client.once('ready', resolve);
    client.once('close', () => reject(failure()));
  });
  client.once('close', () => {
    state.closed = true;
  });
  ready.catch(() => undefined);

  const { signal } = options;
  try {
    await withDeadline(
      () => {
        client.connect({
          sock,
          username: target.user,
          algorithms: { serverHostKey: hostKey.algorithms },
          hostVerifier: (key: Buffer) => hostKey.verify(key),
          authHandler: (methodsLeft, _partial, next) => {
            // The types of ssh2 leave out false ("nothing left"), and null in the first call.
            next(login.next(methodsLeft) as Parameters<typeof next>[0]);
          },
          keepaliveInterval: options.keepaliveIntervalMs ?? defaultKeepaliveIntervalMs,
          keepaliveCountMax,
          readyTimeout: 0,
        });
        return handshake;
      },
      target.connectTimeoutMs,
      { signal, timeoutError: () => handshakeTimeoutError(target) },
    );
    await withDeadline(() => Promise.all([hostKey.record(), ready]), target.connectTimeoutMs, {
      signal,
      timeoutError: () => loginTimeoutError(target, 'the login'),
    });
  } catch (error) {
    sock.destroy();
    throw error;
  }
  return {
    client,
    sock,
    get lastError() {
      return state.lastError;
    },
    get closed() {
      return state.closed;
    },
    close: () => endClient(client, sock, state),
  };
}

/** Says goodbye, waits a moment for the answer, then cuts. */
async function endClient(client: Client, sock: Duplex, state: { readonly closed: boolean }): Promise<void> {
  if (state.closed) return;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(() => {
      sock.destroy();
      resolve();
    }, 500);
    client.once('close', () => {
      clearTimeout(timer);
      resolve();
    });
    client.end();
  });
}

function levelOf(error: Error): unknown {
  return 'level' in error ? error.level : undefined;
}
