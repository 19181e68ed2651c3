import { execa } from 'execa';
import { constants, homedir, userInfo } from 'node:os';
import { InstallerError, messageOf } from '../errors.ts';
import { createOutputCollector, defaultMaxOutputBytes } from './output.ts';
import type { ExecOptions, ExecResult } from './transport.ts';

/** After TERM, the time before KILL. */
const killDelayMs = 2000;

/** What to start, and what goes on its stdin: the preamble (not counted as sent), then the script. */
export interface LocalScript {
  readonly command: string;
  readonly preamble: string;
  readonly text: string;
}

/**
 * Runs a command line with /bin/sh on this machine until it has ended and its output is closed.
 * When the signal aborts, its process group is sent TERM, and KILL two seconds later. Fails with SSH_SHELL, SSH_OUTPUT_TOO_LARGE.
 */
export async function runLocalShell(
  host: string,
  { command, preamble, text }: LocalScript,
  options: ExecOptions,
  signal: AbortSignal,
): Promise<ExecResult> {
  const startedAt = performance.now();
  const script = Buffer.from(text, 'utf8');
  const maxOutputBytes = options.maxOutputBytes ?? defaultMaxOutputBytes;
  const stdout = createOutputCollector(maxOutputBytes, options.onStdout);
  const stderr = createOutputCollector(maxOutputBytes);
  // A group of its own: Ctrl-C in the terminal reaches this program only, which then decides; and the group can be ended as one.
  const child = execa('/bin/sh', ['-c', command], {
    detached: true,
    buffer: false,
    reject: false,
    extendEnv: false,
    env: loginEnvironment(),
    cwd: homedir(),
  });
  const state = { overflow: false };
  const kill = (): void => {
    killGroup(child.pid, 'SIGTERM');
    setTimeout(() => killGroup(child.pid, 'SIGKILL'), killDelayMs).unref();
  };
  const guard = (kept: boolean): void => {
    if (kept || state.overflow) return;
    state.overflow = true;
    kill();
  };
  child.stdout.on('data', (chunk: Buffer) => guard(stdout.push(chunk)));
  child.stderr.on('data', (chunk: Buffer) => guard(stderr.push(chunk)));
  // A script may end without reading all of its stdin.
  child.stdin.on('error', () => undefined);
  child.stdin.write(preamble);
  child.stdin.end(script);
  signal.addEventListener('abort', kill, { once: true });
  const result = await child;
  signal.removeEventListener('abort', kill);
  if (state.overflow) throw overflowError(host, maxOutputBytes);
  if (result.exitCode === undefined && result.signal === undefined) throw startError(host, result.cause);
  return {
    exitCode: result.exitCode,
    signal: result.signal,
    stdout: stdout.end(),
    stderr: stderr.end(),
    durationMs: performance.now() - startedAt,
    bytesSent: script.length,
    bytesReceived: stdout.bytes + stderr.bytes,
  };
}

/** What a login over SSH would have: nothing of this program's environment, where tokens and proxies can be. */
function loginEnvironment(): Record<string, string> {
  const { username, shell } = userInfo();
  return {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: homedir(),
    USER: username,
    LOGNAME: username,
    SHELL: shell ?? '/bin/sh',
  };
}

function killGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, constants.signals[signal]);
  } catch {
    // The group has ended, or it belongs to root: then closing its output is all that can be done.
  }
}

function overflowError(host: string, maxOutputBytes: number): InstallerError {
  const message = `a script on this machine printed more than ${maxOutputBytes} bytes and was ended`;
  return new InstallerError({ code: 'SSH_OUTPUT_TOO_LARGE', message, host });
}

function startError(host: string, cause: unknown): InstallerError {
  return new InstallerError({
    code: 'SSH_SHELL',
    message: `/bin/sh on this machine cannot be started: ${messageOf(cause)}`,
    host,
    cause,
  });
}
