import type { Client } from 'ssh2';
import { InstallerError } from '../errors.ts';
import { runInShell } from './ssh-exec.ts';
import { explainNoRoot, isPasswordAccepted, parseProbeAnswer, passwordCheckCommand } from './ssh-privilege.ts';
import { probeCommand, probeEnd } from './ssh-privilege.ts';
import type { PrivilegeState, ProbeAnswer } from './ssh-privilege.ts';
import { openShell } from './ssh-shells.ts';
import type { Shell, Shells } from './ssh-shells.ts';
import { describeTarget } from './ssh-target.ts';
import type { SshTarget } from './ssh-target.ts';

/** Login scripts may print before the answer; more than this is not read. */
const maxNoiseBytes = 1024 * 1024;

/**
 * Finds out how the account becomes root, and keeps the shell that answered it for the first script.
 * Fails with SSH_SHELL where the account runs no commands.
 */
export async function probePrivilege(client: Client, shells: Shells, target: SshTarget): Promise<PrivilegeState> {
  const shell = await openShell(client, probeCommand);
  const { stdout, stderr } = await readAnswer(shell);
  const answer = parseProbeAnswer(stdout);
  if (!answer) {
    shell.channel.close();
    throw noShellError(target, shell, `${stdout}\n${stderr}`);
  }
  if (answer.kind === 'root') {
    shells.prepare('login', shell);
    return { privilege: 'root' };
  }
  if (answer.kind === 'sudo') {
    shells.prepare('sudo', shell);
    return { privilege: 'sudo' };
  }
  const state = await trySudoPassword(client, target, answer);
  if (state.privilege === 'none') {
    shells.prepare('login', shell);
  } else {
    shell.channel.close();
    shells.prepare('sudo-password');
  }
  return state;
}

async function trySudoPassword(client: Client, target: SshTarget, answer: ProbeAnswer): Promise<PrivilegeState> {
  const { sudoPassword, user } = target;
  if (answer.kind !== 'sudo-refused' || sudoPassword === undefined) return explainNoRoot(user, answer, 'not-given');
  const shell = await openShell(client, passwordCheckCommand);
  const { stdout, stderr } = await runInShell(shell, {
    script: Buffer.from(`${sudoPassword}\n`),
    maxOutputBytes: maxNoiseBytes,
    signal: new AbortController().signal,
  });
  if (isPasswordAccepted(stdout)) return { privilege: 'sudo-password' };
  return explainNoRoot(user, answer, 'rejected', stderr.trim());
}

/** Reads until the answer is complete or the shell has ended, then leaves the streams paused for the next reader. */
function readAnswer(shell: Shell): Promise<{ stdout: string; stderr: string }> {
  const { channel } = shell;
  return new Promise((resolve) => {
    let stdout = '';
    let stderr = '';
    const finish = (): void => {
      for (const stream of [channel, channel.stderr]) {
        stream.pause();
        stream.removeAllListeners('data');
      }
      channel.off('close', finish);
      resolve({ stdout, stderr });
    };
    channel.on('data', (chunk: Buffer) => {
      stdout += chunk.toString('latin1');
      if (stdout.includes(probeEnd) || stdout.length > maxNoiseBytes) finish();
    });
    channel.stderr.on('data', (chunk: Buffer) => {
      if (stderr.length < maxNoiseBytes) stderr += chunk.toString('utf8');
    });
    channel.once('close', finish);
  });
}

function noShellError(target: SshTarget, shell: Shell, output: string): InstallerError {
  const status = shell.exit ? `exit status ${shell.exit.code ?? shell.exit.signal ?? 'unknown'}` : 'no exit status';
  return new InstallerError({
    code: 'SSH_SHELL',
    message: `${describeTarget(target)}: the login succeeds, but the account does not run /bin/sh (${status})`,
    remedy: `Give ${target.user} a usable shell, and check for an expired password, ForceCommand or a login script that ends the session.`,
    host: target.host,
    details: output.trim().split('\n').slice(-10),
  });
}
