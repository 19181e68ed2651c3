import type { Duplex } from 'node:stream';
import { InstallerError, messageOf } from '../errors.ts';
import { withDeadline } from '../lib/deadline.ts';
import { createPace } from './pace.ts';
import { connectAndLogIn } from './ssh-connect.ts';
import { connectionLostError, interruptedError } from './ssh-errors.ts';
import type { SshConnection } from './ssh-client.ts';
import { describeEndpoint, describeTarget } from './ssh-target.ts';
import type { ConnectOptions, SshTarget } from './ssh-target.ts';

/** A host through which others are reached: one connection, one forwarded channel for each of them. */
export interface Bastion {
  readonly description: string;
  /** True once the connection is gone. */
  readonly closed: boolean;
  /** A byte stream to a port that the bastion reaches; give it to connectSsh as `sock`. */
  openStream(target: Pick<SshTarget, 'host' | 'address' | 'port'>, signal?: AbortSignal): Promise<Duplex>;
  close(): Promise<void>;
}

/** Administratively prohibited (RFC 4254, 5.1). */
const prohibited = 1;

/** Logs in to the bastion; fails as connectSsh does. No shell is started there, so an account without one is enough. */
export async function connectBastion(target: SshTarget, options: ConnectOptions = {}): Promise<Bastion> {
  let ssh: SshConnection;
  try {
    ssh = await connectAndLogIn(target, options);
  } catch (error) {
    if (options.signal?.aborted) throw interruptedError(target.host, `connecting to ${describeTarget(target)}`, error);
    throw error;
  }
  const pace = createPace(ssh.sock);
  return {
    description: describeTarget(target),
    get closed() {
      return ssh.closed;
    },
    async openStream(inner, signal) {
      const stream = await openStream(ssh, target, inner, signal);
      pace(stream);
      return stream;
    },
    close: () => ssh.close(),
  };
}

async function openStream(
  ssh: SshConnection,
  bastion: SshTarget,
  inner: Pick<SshTarget, 'host' | 'address' | 'port'>,
  outer?: AbortSignal,
): Promise<Duplex> {
  const endpoint = describeEndpoint(inner);
  try {
    return await withDeadline((signal) => forward(ssh, inner, signal), bastion.connectTimeoutMs, {
      signal: outer,
      timeoutError: () =>
        new InstallerError({
          code: 'SSH_TIMEOUT',
          message: `${endpoint} did not answer the bastion ${describeTarget(bastion)} in time`,
          remedy: 'Check that the host is up, and that no firewall between the bastion and the host drops packets.',
          host: inner.host,
        }),
    });
  } catch (error) {
    if (error instanceof InstallerError) throw error;
    if (outer?.aborted) throw interruptedError(inner.host, `connecting to ${endpoint}`, error);
    if (ssh.closed)
      throw connectionLostError(bastion, `before ${endpoint} was reached through it`, ssh.lastError ?? error);
    const isProhibited = error instanceof Error && 'reason' in error && error.reason === prohibited;
    throw new InstallerError({
      code: 'SSH_UNREACHABLE',
      message: `the bastion ${describeTarget(bastion)} does not reach ${endpoint}: ${messageOf(error)}`,
      remedy: isProhibited
        ? 'Allow forwarding in the configuration of sshd on the bastion (AllowTcpForwarding, PermitOpen).'
        : 'Check from the bastion that sshd listens on the address and port of the host.',
      host: inner.host,
      cause: error,
    });
  }
}

function forward(ssh: SshConnection, inner: Pick<SshTarget, 'address' | 'port'>, signal: AbortSignal): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    ssh.client.forwardOut('127.0.0.1', 0, inner.address, inner.port, (error, channel) => {
      if (error) {
        reject(error);
        return;
      }
      channel.on('error', () => undefined);
      // Nobody waits for it any more.
      if (signal.aborted) channel.close();
      resolve(channel);
    });
  });
}
