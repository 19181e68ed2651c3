import type { ClientChannel } from 'ssh2';
import { createOutputCollector } from './output.ts';
import type { Shell } from './ssh-shells.ts';

/** How a script ended, seen from its channel. */
export interface ChannelOutcome {
  /** Undefined where the channel ended without telling: the connection is gone, or the session was cut. */
  readonly exit: Shell['exit'];
  readonly stdout: string;
  readonly stderr: string;
  readonly bytesReceived: number;
  /** A stream passed `maxOutputBytes` and the script was ended. */
  readonly overflow: boolean;
}

export interface ChannelRun {
  readonly script: Buffer;
  readonly maxOutputBytes: number;
  readonly onStdout?: ((text: string) => void) | undefined;
  readonly signal: AbortSignal;
}

/**
 * Sends a script to a waiting shell, closes its stdin and collects what it answers until the channel is closed.
 * When the signal aborts, the shell is asked to end and the channel closed; the outcome then has no exit.
 */
export async function runInShell(shell: Shell, run: ChannelRun): Promise<ChannelOutcome> {
  const { channel } = shell;
  const stdout = createOutputCollector(run.maxOutputBytes, run.onStdout);
  const stderr = createOutputCollector(run.maxOutputBytes);
  let overflow = false;
  const stop = (): void => {
    terminate(channel);
  };
  const guard = (kept: boolean): void => {
    if (kept || overflow) return;
    overflow = true;
    stop();
  };
  const closed = new Promise<void>((resolve) => {
    channel.once('close', resolve);
  });
  const stderrEnded = new Promise<void>((resolve) => {
    channel.stderr.once('end', resolve);
  });
  channel.on('data', (chunk: Buffer) => guard(stdout.push(chunk)));
  channel.stderr.on('data', (chunk: Buffer) => guard(stderr.push(chunk)));
  // A stream that an earlier reader left paused does not start by itself.
  channel.resume();
  channel.stderr.resume();
  run.signal.addEventListener('abort', stop, { once: true });
  try {
    if (run.signal.aborted) stop();
    else channel.end(run.script);
    await Promise.all([closed, stderrEnded]);
  } finally {
    run.signal.removeEventListener('abort', stop);
  }
  return {
    exit: shell.exit,
    stdout: stdout.end(),
    stderr: stderr.end(),
    bytesReceived: stdout.bytes + stderr.bytes,
    overflow,
  };
}

/** The parts of a channel of ssh2 1.17 that its own `signal` needs. */
interface SignallingChannel {
  readonly _client?: { readonly _protocol?: { signal?(id: number, name: string): void } };
  readonly outgoing?: { readonly id?: number; readonly state?: string };
}

/**
 * Asks the server to end the process group (RFC 4254, 6.9), then closes the channel. sshd does it for ordinary users only:
 * it refuses to signal sessions of root, and what sudo started belongs to root. Such a script runs until it ends or prints.
 * `channel.signal` of ssh2 sends nothing once stdin is closed, although only our direction is closed then; hence the
 * protocol object.
 */
function terminate(channel: ClientChannel): void {
  const { _client: client, outgoing } = channel as unknown as SignallingChannel;
  if (outgoing?.id !== undefined && (outgoing.state === 'open' || outgoing.state === 'eof')) {
    client?._protocol?.signal?.(outgoing.id, 'TERM');
  }
  channel.close();
}
