import type { LocalService, PublishOptions } from './publish.ts';

/** What a script did on a machine. Output is text decoded as UTF-8; both streams are bounded by `maxOutputBytes`. */
export interface ExecResult {
  /** Exit status; undefined where a signal ended the script. */
  readonly exitCode: number | undefined;
  readonly signal: string | undefined;
  readonly stdout: string;
  readonly stderr: string;
  readonly durationMs: number;
  readonly bytesSent: number;
  readonly bytesReceived: number;
}

export interface ExecOptions {
  /** Run as root: directly where the login is root, else through sudo as it was probed at connect. */
  readonly root: boolean;
  /** Whole duration of the script. Passing it is an error SSH_TIMEOUT whose `outcome` is unknown. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** All hosts must run it at the same time: it does not count for how many hosts are worked on at once. */
  readonly together?: boolean | undefined;
  /** Called with each piece of stdout as it arrives (live progress). */
  readonly onStdout?: ((text: string) => void) | undefined;
  /** Bytes kept of each stream; more is an error. Defaults to 64 MiB. */
  readonly maxOutputBytes?: number | undefined;
}

/** How the account becomes root, probed once at connect. */
export type Privilege = 'root' | 'sudo' | 'sudo-password' | 'none';

/**
 * Bytes to one machine. A script travels on the standard input of `/bin/sh -s`, so neither its text nor a secret in it is
 * ever in an argument list. Errors are InstallerErrors with codes: SSH_REFUSED, SSH_TIMEOUT, SSH_UNREACHABLE, SSH_HOST_KEY_UNKNOWN,
 * SSH_HOST_KEY_CHANGED, SSH_AUTH_FAILED, SSH_NO_ROOT, SSH_CONNECTION_LOST.
 */
export interface Transport {
  /** For people: `ops@10.0.0.1:22`, or `local`. */
  readonly description: string;
  /** Set once connected. */
  readonly privilege: Privilege;
  /** Runs POSIX sh text. A non-zero exit is a result, not an error. */
  exec(script: string, options: ExecOptions): Promise<ExecResult>;
  /** Number of scripts sent so far: the round trips of this host. */
  readonly trips: number;
  close(): Promise<void>;
}

/** A transport as it was made, before anything was put around it. */
export interface Connection extends Transport {
  /** Makes a service of this machine answer on the loopback of the other one; returns the port there. */
  publish(service: LocalService, options?: PublishOptions): Promise<number>;
}

/**
 * The connection was lost, or a deadline passed, while a script was running: whether it ran to its end is not known.
 * The caller observes the host again; it never repeats the script blindly.
 */
export const outcomeUnknownCodes: ReadonlySet<string> = new Set(['SSH_CONNECTION_LOST', 'SSH_TIMEOUT']);
