import { InstallerError } from '../errors.ts';
import { withDeadline } from '../lib/deadline.ts';
import { retry } from '../lib/retry.ts';
import { prepareLogin } from './ssh-auth.ts';
import { logIn } from './ssh-client.ts';
import type { SshConnection } from './ssh-client.ts';
import { connectionLostError, interruptedError, loginTimeoutError } from './ssh-errors.ts';
import { prepareHostKeyCheck } from './ssh-host-key.ts';
import { probePrivilege } from './ssh-probe.ts';
import type { PrivilegeState } from './ssh-privilege.ts';
import { createShells } from './ssh-shells.ts';
import type { Shells } from './ssh-shells.ts';
import { openSocket } from './ssh-socket.ts';
import { describeTarget } from './ssh-target.ts';
import type { ConnectOptions, SshTarget } from './ssh-target.ts';

/** A connection that can run scripts. */
export interface OpenConnection {
  readonly ssh: SshConnection;
  readonly shells: Shells;
  readonly privilegeState: PrivilegeState;
}

/** Connects, checks the host's identity, logs in and probes the privilege; each stage has `connectTimeoutMs`. */
export async function openConnection(target: SshTarget, options: ConnectOptions): Promise<OpenConnection> {
  const { signal } = options;
  try {
    const ssh = await connectAndLogIn(target, options);
    try {
      const shells = createShells(ssh.client, target.sudoPassword, options.spareShells);
      const privilegeState = await withDeadline(
        () => probePrivilege(ssh.client, shells, target),
        target.connectTimeoutMs,
        { signal, timeoutError: () => loginTimeoutError(target, 'starting a shell and asking sudo') },
      );
      return { ssh, shells, privilegeState };
    } catch (error) {
      await ssh.close();
      if (error instanceof InstallerError || signal?.aborted) throw error;
      throw connectionLostError(target, 'after the login', ssh.lastError ?? error);
    }
  } catch (error) {
    if (signal?.aborted) throw interruptedError(target.host, `connecting to ${describeTarget(target)}`, error);
    throw error;
  }
}

/** Only the early drop is repeated: sshd drops connections at random while many log in at once (MaxStartups). */
export async function connectAndLogIn(target: SshTarget, options: ConnectOptions): Promise<SshConnection> {
  const { signal, sock } = options;
  const hostKey = await prepareHostKeyCheck(target, options.onWarning);
  const login = await prepareLogin(target, options);
  if (sock) return logIn(sock, target, hostKey, login, options);
  return retry(async () => logIn(await openSocket(target, signal), target, hostKey, login, options), {
    attempts: 5,
    baseDelayMs: 300,
    maxDelayMs: 3000,
    signal,
    shouldRetry: isDropped,
  });
}

function isDropped(error: unknown): boolean {
  return error instanceof InstallerError && error.code === 'SSH_DROPPED';
}
