import type { Duplex } from 'node:stream';
import type { KeyLoader } from './loaded-key.ts';

/** How a host's identity is checked: `strict` knows only what the file says, `accept-new` adds hosts not in it yet. */
export interface KnownHostsSetting {
  readonly policy: 'strict' | 'accept-new';
  /** Absolute path of a file in the format of OpenSSH's known_hosts (sshd(8)). */
  readonly file: string;
}

/** Everything needed to log in to one machine. Paths are absolute; secrets are values, not references. */
export interface SshTarget {
  /** Name in the cluster file; what errors are reported under. */
  readonly host: string;
  readonly address: string;
  readonly port: number;
  readonly user: string;
  readonly keyFile?: string | undefined;
  readonly keyPassphrase?: string | undefined;
  /** Path of the ssh-agent's socket. */
  readonly agentSocket?: string | undefined;
  /** For the methods password and keyboard-interactive. */
  readonly password?: string | undefined;
  /** Sent on stdin, and only where sudo asks for a password. */
  readonly sudoPassword?: string | undefined;
  readonly knownHosts: KnownHostsSetting;
  /** Bound of each stage: TCP, handshake, login, finding out how to become root. */
  readonly connectTimeoutMs: number;
}

export interface ConnectOptions {
  /** Ends the connecting at once with INTERRUPTED; has no effect after it. */
  readonly signal?: AbortSignal | undefined;
  /** A ready byte stream to the SSH port of the host, such as a channel of a bastion, instead of a new TCP connection. */
  readonly sock?: Duplex | undefined;
  /** Told what is odd but not wrong: a key file others can read, a line of known_hosts that is not understood. */
  readonly onWarning?: ((text: string) => void) | undefined;
  /** Shared by connections that log in with the same key, so that an encrypted key is decrypted once. */
  readonly keys?: KeyLoader | undefined;
  /** Where id_ed25519, id_ecdsa and id_rsa are looked for when the target names no way to log in. Defaults to ~/.ssh. */
  readonly keyFolder?: string | undefined;
  /** Shells kept waiting for the next scripts. Defaults to 3; where few scripts follow, fewer will do. */
  readonly spareShells?: number | undefined;
  /** Time between keepalives; three unanswered ones end the connection. Defaults to 15 s. */
  readonly keepaliveIntervalMs?: number | undefined;
}

/** `ops@10.0.0.1:22`, with brackets around an IPv6 address. */
export function describeTarget(target: Pick<SshTarget, 'user' | 'address' | 'port'>): string {
  return `${target.user}@${describeEndpoint(target)}`;
}

/** `10.0.0.1:22`, with brackets around an IPv6 address. */
export function describeEndpoint(target: Pick<SshTarget, 'address' | 'port'>): string {
  const address = target.address.includes(':') ? `[${target.address}]` : target.address;
  return `${address}:${target.port}`;
}
