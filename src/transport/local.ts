import { userInfo } from 'node:os';
import { InstallerError } from '../errors.ts';
import { withDeadline } from '../lib/deadline.ts';
import { runLocalShell } from './local-shell.ts';
import { interruptedError, seconds } from './ssh-errors.ts';
import {
  explainNoRoot,
  isPasswordAccepted,
  parseProbeAnswer,
  passwordCheckCommand,
  passwordPreamble,
  probeCommand,
  shellCommands,
  shellKindOf,
} from './ssh-privilege.ts';
import type { PrivilegeState, ShellKind } from './ssh-privilege.ts';
import type { Connection, ExecOptions, ExecResult } from './transport.ts';

export interface LocalOptions {
  /** Sent on stdin, and only where sudo asks for a password. */
  readonly sudoPassword?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

const probeTimeoutMs = 30_000;

/**
 * The machine this program runs on, with the meaning of a connection: scripts on stdin of /bin/sh, the same probe of the
 * privilege, the same codes of errors. `host` is the name in the cluster file.
 */
export async function connectLocal(host: string, options: LocalOptions = {}): Promise<Connection> {
  const { sudoPassword } = options;
  const state = await probeLocal(host, options);
  let trips = 0;
  let closed = false;
  return {
    description: 'local',
    privilege: state.privilege,
    get trips() {
      return trips;
    },
    async exec(script, execOptions) {
      if (closed) throw closedError(host);
      const kind = getShellKind(host, state, execOptions.root);
      trips += 1;
      const preamble = kind === 'sudo-password' ? passwordPreamble(sudoPassword ?? '') : '';
      return runLocal(host, shellCommands[kind], preamble, script, execOptions);
    },
    publish: (service) => Promise.resolve(service.port),
    close() {
      closed = true;
      return Promise.resolve();
    },
  };
}

async function probeLocal(host: string, options: LocalOptions): Promise<PrivilegeState> {
  const { sudoPassword, signal } = options;
  const execOptions: ExecOptions = { root: false, timeoutMs: probeTimeoutMs, signal };
  const { stdout, stderr } = await runLocal(host, probeCommand, '', '', execOptions);
  const answer = parseProbeAnswer(stdout);
  if (!answer) {
    throw new InstallerError({
      code: 'SSH_SHELL',
      message: '/bin/sh on this machine does not answer as expected',
      host,
      details: `${stdout}\n${stderr}`.trim().split('\n').slice(-10),
    });
  }
  if (answer.kind === 'root' || answer.kind === 'sudo') return { privilege: answer.kind };
  const user = userInfo().username;
  if (answer.kind !== 'sudo-refused' || sudoPassword === undefined) return explainNoRoot(user, answer, 'not-given');
  const check = await runLocal(host, passwordCheckCommand, `${sudoPassword}\n`, '', execOptions);
  if (isPasswordAccepted(check.stdout)) return { privilege: 'sudo-password' };
  return explainNoRoot(user, answer, 'rejected', check.stderr.trim());
}

async function runLocal(
  host: string,
  command: string,
  preamble: string,
  text: string,
  options: ExecOptions,
): Promise<ExecResult> {
  try {
    return await withDeadline(
      (signal) => runLocalShell(host, { command, preamble, text }, options, signal),
      options.timeoutMs,
      {
        signal: options.signal,
        timeoutError: () =>
          new InstallerError({
            code: 'SSH_TIMEOUT',
            message: `a script on this machine did not end within ${seconds(options.timeoutMs)}`,
            remedy: 'Look at what the machine is busy with, then run the command again.',
            host,
          }),
      },
    );
  } catch (error) {
    if (options.signal?.aborted && !(error instanceof InstallerError)) {
      throw interruptedError(host, 'a script ran on this machine', error);
    }
    throw error;
  }
}

function getShellKind(host: string, state: PrivilegeState, root: boolean): ShellKind {
  if (state.privilege !== 'none') return shellKindOf(state.privilege, root);
  if (!root) return 'login';
  throw new InstallerError({
    code: 'SSH_NO_ROOT',
    message: `this program cannot become root on this machine: ${state.why}`,
    remedy: state.remedy,
    host,
    details: state.details,
  });
}

function closedError(host: string): InstallerError {
  return new InstallerError({ code: 'SSH_CONNECTION_LOST', message: 'this transport is closed', host });
}
