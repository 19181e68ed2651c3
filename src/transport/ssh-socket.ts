import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { tcpError, tcpTimeoutError } from './ssh-errors.ts';
import type { SshTarget } from './ssh-target.ts';

/** A name can have several addresses, tried in turn; Node's default of 250 ms for each is too short for distant hosts. */
const attemptTimeoutMs = 2000;

/**
 * Opens a TCP connection within `connectTimeoutMs`. Fails with SSH_REFUSED, SSH_TIMEOUT or SSH_UNREACHABLE, or with the
 * reason of the signal; then no socket is left open.
 */
export function openSocket(target: SshTarget, signal?: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      host: target.address,
      port: target.port,
      autoSelectFamilyAttemptTimeout: attemptTimeoutMs,
    });
    // Scripts and answers are small messages: waiting to fill a packet would add a delay to each.
    socket.setNoDelay(true);
    const fail = (error: unknown): void => {
      finish();
      socket.destroy();
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- the reason of a signal is passed on as it is
      reject(error);
    };
    const finish = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      socket.off('connect', onConnect);
    };
    const onConnect = (): void => {
      finish();
      socket.off('error', onError);
      resolve(socket);
    };
    const onError = (error: Error): void => {
      fail(tcpError(target, error));
    };
    const onAbort = (): void => {
      fail(signal?.reason);
    };
    const timer = setTimeout(() => {
      fail(tcpTimeoutError(target));
    }, target.connectTimeoutMs);
    socket.once('connect', onConnect).on('error', onError);
    if (signal?.aborted) onAbort();
    else signal?.addEventListener('abort', onAbort, { once: true });
  });
}
