import type { Duplex } from 'node:stream';
import { exitCodes, InstallerError, messageOf } from '../errors.ts';
import { withDeadline } from '../lib/deadline.ts';
import { createPace } from './pace.ts';
import { connectionLostError, interruptedError, seconds } from './ssh-errors.ts';
import type { SshConnection } from './ssh-client.ts';
import { describeTarget, type SshTarget } from './ssh-target.ts';

/** A service of this machine that a host shall reach. */
export interface LocalService {
  /** Where it listens on the loopback of this machine. */
  readonly port: number;
  /** Takes a connection that came another way; every stream ends with its connection. */
  accept(stream: Duplex): void;
}

export interface PublishOptions {
  /** Asked for first; another one is taken where it is not free. */
  readonly preferredPort?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

const loopback = '127.0.0.1';

/**
 * Makes the service answer on the loopback of the host, as long as the connection lives, and returns the port there. Nothing
 * of this machine has to be reachable for that. SSH_FORWARDING where sshd does not allow it.
 */
export async function publishOverSsh(
  ssh: SshConnection,
  target: SshTarget,
  service: LocalService,
  { preferredPort, signal }: PublishOptions,
): Promise<number> {
  const ask = (port: number): Promise<number> =>
    withDeadline(() => forwardIn(ssh, port), target.connectTimeoutMs, {
      signal,
      timeoutError: () => refused(target, `sshd did not answer within ${seconds(target.connectTimeoutMs)}`),
    });
  const pace = createPace(ssh.sock);
  ssh.client.on('tcp connection', (_details, accept) => {
    const channel = accept();
    pace(channel);
    // A client that goes away in the middle is not worth more than the end of its stream.
    channel.on('error', () => undefined);
    service.accept(channel);
  });
  try {
    if (preferredPort !== undefined) {
      const port = await ask(preferredPort).catch(() => undefined);
      if (port !== undefined) return port;
    }
    return await ask(0);
  } catch (error) {
    if (error instanceof InstallerError) throw error;
    if (signal?.aborted) throw interruptedError(target.host, `forwarding a port of ${describeTarget(target)}`, error);
    if (ssh.closed) throw connectionLostError(target, 'while a port was being forwarded', ssh.lastError ?? error);
    throw refused(target, messageOf(error));
  }
}

function forwardIn(ssh: SshConnection, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    ssh.client.forwardIn(loopback, port, (error, actual) => {
      if (error) reject(error);
      else resolve(port === 0 ? actual : port);
    });
  });
}

function refused(target: SshTarget, reason: string): InstallerError {
  return new InstallerError({
    code: 'SSH_FORWARDING',
    message: `${describeTarget(target)} forwards no port to this machine: ${reason}`,
    remedy:
      'allow it in the configuration of sshd (AllowTcpForwarding yes or remote, DisableForwarding no, PermitListen), or run `installer bundle serve` and name its address in spec.runtime.registries and spec.artifacts.mirrors, as docs/registry-mapping.md shows',
    host: target.host,
    exitCode: exitCodes.precheckFailed,
  });
}
