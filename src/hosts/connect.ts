import type { Bastions } from './bastions.ts';
import { connectSsh, type SshTarget } from '../transport/ssh.ts';
import type { KeyLoader } from '../transport/loaded-key.ts';
import type { Connection } from '../transport/transport.ts';
import type { HostConfig } from '../spec/schema.ts';
import { secretReader } from './secret-reader.ts';

export interface ConnectHostOptions {
  readonly signal: AbortSignal;
  readonly onWarning: (text: string) => void;
  /** Told every secret that was read, before it is used. */
  readonly addSecret: (value: string) => void;
  readonly keys: KeyLoader;
  readonly spareShells?: number | undefined;
  readonly bastions: Bastions;
}

/** Connects to a host of the cluster file, by SSH or as this machine. Rejects with an InstallerError of the transport. */
export async function connectHost(config: HostConfig, options: ConnectHostOptions): Promise<Connection> {
  const { ssh } = config;
  const secret = secretReader(`host ${config.name}`, options.addSecret);
  const sudoPassword = await secret(ssh.sudoPassword, 'the sudo password');
  if (config.local) {
    // Only now: what starts processes is a quarter of what other runs hold of libraries.
    const { connectLocal } = await import('../transport/local.ts');
    return connectLocal(config.name, { sudoPassword, signal: options.signal });
  }
  const target: SshTarget = {
    host: config.name,
    address: config.address,
    port: ssh.port,
    user: ssh.user,
    keyFile: ssh.keyFile,
    keyPassphrase: await secret(ssh.keyPassphrase, 'the passphrase of the key'),
    agentSocket: ssh.keyFile === undefined ? process.env['SSH_AUTH_SOCK'] : undefined,
    password: await secret(ssh.password, 'the password'),
    sudoPassword,
    knownHosts: ssh.knownHosts,
    connectTimeoutMs: ssh.connectTimeoutSeconds * 1000,
  };
  const { signal, onWarning, keys, spareShells } = options;
  const common = { signal, onWarning, keys, spareShells };
  if (ssh.bastion === undefined) return connectSsh(target, common);
  const sock = await options.bastions.openStream(ssh.bastion, target, options);
  return connectSsh(target, { ...common, sock });
}
