import { InstallerError } from '../errors.ts';
import { createLimiter } from '../lib/concurrency.ts';
import { withDeadline } from '../lib/deadline.ts';
import { defaultMaxOutputBytes } from './output.ts';
import { connectionLostError, interruptedError, seconds } from './ssh-errors.ts';
import { openConnection } from './ssh-connect.ts';
import type { OpenConnection } from './ssh-connect.ts';
import { runInShell } from './ssh-exec.ts';
import type { ChannelOutcome } from './ssh-exec.ts';
import { shellKindOf } from './ssh-privilege.ts';
import type { ShellKind } from './ssh-privilege.ts';
import { maxSessions } from './ssh-shells.ts';
import { describeTarget } from './ssh-target.ts';
import type { ConnectOptions, SshTarget } from './ssh-target.ts';
import { publishOverSsh } from './publish.ts';
import type { Connection, ExecOptions, ExecResult } from './transport.ts';

export type { ConnectOptions, KnownHostsSetting, SshTarget } from './ssh-target.ts';

/**
 * Logs in to a machine over one SSH connection and finds out how to become root there. `trips` counts the scripts of `exec`,
 * not the question asked while connecting. Beside the codes of Transport, connecting fails with SSH_DROPPED, SSH_PROTOCOL,
 * SSH_HOST_KEY_REVOKED, SSH_KNOWN_HOSTS, SSH_KEY_FILE, SSH_SHELL and INTERRUPTED, and leaves neither socket nor timer then;
 * `exec` fails with SSH_SHELL, SSH_OUTPUT_TOO_LARGE and INTERRUPTED too.
 */
export async function connectSsh(target: SshTarget, options: ConnectOptions = {}): Promise<Connection> {
  const connection = await openConnection(target, options);
  const limiter = createLimiter(maxSessions);
  const { privilege } = connection.privilegeState;
  let trips = 0;
  return {
    description: describeTarget(target),
    privilege,
    get trips() {
      return trips;
    },
    async exec(script, execOptions) {
      const kind = getShellKind(connection, target, execOptions.root);
      try {
        return await limiter.run(() => {
          trips += 1;
          return execScript(connection, target, kind, script, execOptions);
        }, execOptions.signal);
      } catch (error) {
        if (execOptions.signal?.aborted && !(error instanceof InstallerError)) {
          throw interruptedError(target.host, `a script ran on ${describeTarget(target)}`, error);
        }
        throw error;
      }
    },
    publish: (service, publishOptions = {}) => publishOverSsh(connection.ssh, target, service, publishOptions),
    async close() {
      connection.shells.close();
      await connection.ssh.close();
    },
  };
}

async function execScript(
  connection: OpenConnection,
  target: SshTarget,
  kind: ShellKind,
  text: string,
  options: ExecOptions,
): Promise<ExecResult> {
  const script = Buffer.from(text, 'utf8');
  const maxOutputBytes = options.maxOutputBytes ?? defaultMaxOutputBytes;
  const startedAt = performance.now();
  const outcome = await withDeadline(
    async (signal) => {
      const shell = await takeShell(connection, target, kind, signal);
      return runInShell(shell, { script, maxOutputBytes, onStdout: options.onStdout, signal });
    },
    options.timeoutMs,
    { signal: options.signal, timeoutError: () => scriptTimeoutError(target, options.timeoutMs) },
  );
  if (outcome.overflow) throw overflowError(target, maxOutputBytes, outcome);
  if (!outcome.exit) throw connectionLostError(target, 'while a script was running', connection.ssh.lastError);
  return {
    exitCode: outcome.exit.code,
    signal: outcome.exit.signal,
    stdout: outcome.stdout,
    stderr: outcome.stderr,
    durationMs: performance.now() - startedAt,
    bytesSent: script.length,
    bytesReceived: outcome.bytesReceived,
  };
}

async function takeShell(connection: OpenConnection, target: SshTarget, kind: ShellKind, signal: AbortSignal) {
  try {
    return await connection.shells.take(kind, signal);
  } catch (error) {
    if (signal.aborted) throw error;
    if (connection.ssh.closed || connection.ssh.lastError) {
      throw connectionLostError(target, 'before the script was sent', connection.ssh.lastError ?? error);
    }
    throw new InstallerError({
      code: 'SSH_SHELL',
      message: `${describeTarget(target)}: sshd opens no session for a script: ${error instanceof Error ? error.message : String(error)}`,
      remedy:
        'Raise MaxSessions in the configuration of sshd, and check that the account may run commands (ForceCommand, shell).',
      host: target.host,
      cause: error,
    });
  }
}

function getShellKind(connection: OpenConnection, target: SshTarget, root: boolean): ShellKind {
  const state = connection.privilegeState;
  if (state.privilege !== 'none') return shellKindOf(state.privilege, root);
  if (!root) return 'login';
  throw new InstallerError({
    code: 'SSH_NO_ROOT',
    message: `${describeTarget(target)} cannot become root: ${state.why}`,
    remedy: state.remedy,
    host: target.host,
    details: state.details,
  });
}

function scriptTimeoutError(target: SshTarget, timeoutMs: number): InstallerError {
  return new InstallerError({
    code: 'SSH_TIMEOUT',
    message: `a script on ${describeTarget(target)} did not end within ${seconds(timeoutMs)}`,
    remedy:
      'Look at what the host is busy with, then run the command again: it looks at the host first and goes on from there.',
    host: target.host,
  });
}

function overflowError(target: SshTarget, maxOutputBytes: number, outcome: ChannelOutcome): InstallerError {
  return new InstallerError({
    code: 'SSH_OUTPUT_TOO_LARGE',
    message: `a script on ${describeTarget(target)} printed more than ${maxOutputBytes} bytes and was ended`,
    host: target.host,
    details: [`stdout ends with: ${outcome.stdout.slice(-500)}`, `stderr ends with: ${outcome.stderr.slice(-500)}`],
  });
}
