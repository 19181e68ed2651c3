import { spawn } from 'node:child_process';
import type { ServerChannel } from 'ssh2';
import { passwordCheckCommand, passwordPreamble, probeCommand, probeEnd } from '../../src/transport/ssh-privilege.ts';

/** What a script "did" on a host without processes. */
export interface ScriptOutcome {
  readonly stdout?: string;
  readonly stderr?: string;
  readonly exitCode?: number;
}

/** Stands for the machine: gets the text of each script. */
export type ScriptHandler = (
  script: string,
  context: { readonly user: string; readonly root: boolean },
) => ScriptOutcome | Promise<ScriptOutcome>;

export interface ShellOptions {
  /** How accounts of a handler become root. Defaults to root. */
  readonly privilege?: 'root' | 'sudo' | 'sudo-password' | 'none';
  /** The password that the sudo of a handler accepts. */
  readonly sudoPassword?: string;
  /** More variables for real shells, such as a PATH with a sudo made for the test. */
  readonly env?: Readonly<Record<string, string>>;
  /** Printed before the command, as a careless ~/.bashrc does. */
  readonly noise?: string;
  /** The login shell of real shells. Defaults to /bin/sh. */
  readonly loginShell?: string;
}

/**
 * Runs a command line of a session as sshd does: login shell -c command. Returns a function that kills all of it.
 * Requests for a signal do not arrive: the server of ssh2 drops them once a command runs.
 */
export function runRealShell(channel: ServerChannel, command: string, options: ShellOptions): () => void {
  if (options.noise !== undefined) channel.write(options.noise);
  const child = spawn(options.loginShell ?? '/bin/sh', ['-c', command], {
    detached: true,
    env: { ...process.env, ...options.env },
    stdio: 'pipe',
  });
  const kill = (signal: NodeJS.Signals): void => {
    try {
      if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, signal);
    } catch {
      // It has ended in the meantime.
    }
  };
  child.on('error', () => channel.close());
  child.stdin.on('error', () => undefined);
  channel.on('error', () => undefined);
  channel.pipe(child.stdin);
  child.stdout.pipe(channel, { end: false });
  child.stderr.pipe(channel.stderr, { end: false });
  child.on('close', (code, signal) => {
    if (signal) channel.exit(signal.slice('SIG'.length));
    else channel.exit(code ?? 1);
    channel.end();
  });
  channel.on('close', () => {
    child.stdin.destroy();
    child.stdout.destroy();
    child.stderr.destroy();
  });
  return () => kill('SIGKILL');
}

/** Answers a session from a handler: the probe from `privilege`, everything on stdin of a shell as one script. */
export function runScriptHandler(
  channel: ServerChannel,
  command: string,
  user: string,
  handler: ScriptHandler,
  options: ShellOptions,
): void {
  const finish = (outcome: ScriptOutcome): void => {
    if (outcome.stdout) channel.write(outcome.stdout);
    if (outcome.stderr) channel.stderr.write(outcome.stderr);
    channel.exit(outcome.exitCode ?? 0);
    channel.end();
  };
  const isProbe = command === probeCommand;
  const { privilege = 'root' } = options;
  const root = privilege === 'root' || command.includes('sudo') || (isProbe && privilege === 'sudo');
  if (options.noise !== undefined) channel.write(options.noise);
  if (isProbe) channel.write(probeReply(privilege));
  let input = '';
  channel.on('error', () => undefined);
  channel.on('data', (chunk: Buffer) => {
    input += chunk.toString('utf8');
  });
  channel.on('end', () => {
    if (command === passwordCheckCommand) {
      const right = input === `${options.sudoPassword ?? ''}\n`;
      finish(right ? { stdout: 'installer-probe password-ok\n' } : { stderr: 'Sorry, try again.\n', exitCode: 1 });
      return;
    }
    const preamble = passwordPreamble(options.sudoPassword ?? '');
    const script = command.includes('sudo -k -S') && input.startsWith(preamble) ? input.slice(preamble.length) : input;
    if (script === '') {
      finish({});
      return;
    }
    Promise.resolve(handler(script, { user, root })).then(finish, (error: unknown) => {
      finish({ stderr: String(error), exitCode: 255 });
    });
  });
}

function probeReply(privilege: 'root' | 'sudo' | 'sudo-password' | 'none'): string {
  const uid = privilege === 'root' ? 0 : 1000;
  const found = {
    root: 'installer-probe root\n',
    sudo: 'installer-probe sudo\n',
    'sudo-password': 'installer-probe sudo-refused\nsudo: a password is required\n',
    none: 'installer-probe sudo-missing\n',
  }[privilege];
  return `\ninstaller-probe uid ${uid}\n${found}${probeEnd}`;
}
