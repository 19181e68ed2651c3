import type { Duplex } from 'node:stream';
import { InstallerError } from '../errors.ts';
import { createLimiter } from '../lib/concurrency.ts';
import type { BastionConfig } from '../spec/schema.ts';
import type { Bastion } from '../transport/bastion.ts';
import type { KeyLoader } from '../transport/loaded-key.ts';
import type { SshTarget } from '../transport/ssh.ts';
import { secretReader } from './secret-reader.ts';

export interface BastionOptions {
  readonly signal: AbortSignal;
  readonly onWarning: (text: string) => void;
  readonly addSecret: (value: string) => void;
  readonly keys: KeyLoader;
}

/** The bastions of a run: one connection to each, however many hosts are behind it. */
export interface Bastions {
  /**
   * A byte stream to a host. Fails with SSH_BASTION where the bastion itself cannot be used, and with SSH_UNREACHABLE or
   * SSH_TIMEOUT where it does not reach the host.
   */
  openStream(config: BastionConfig, target: SshTarget, options: BastionOptions): Promise<Duplex>;
  close(): Promise<void>;
}

/** Channels that are being opened at once: each makes the bastion connect, and some count those (MaxStartups of what is behind). */
const maxOpening = 20;

interface Known {
  readonly connection: Promise<Bastion>;
  readonly opening: ReturnType<typeof createLimiter>;
}

export function createBastions(): Bastions {
  const byTarget = new Map<string, Known>();

  /** The connection that there is, or a new one where it was lost. */
  async function get(config: BastionConfig, options: BastionOptions): Promise<Known & { readonly bastion: Bastion }> {
    const key = `${config.user}@${config.address} ${config.port}`;
    const known = byTarget.get(key);
    const bastion = await known?.connection.catch(() => undefined);
    if (known !== undefined && bastion?.closed === false) return { ...known, bastion };
    // Of all that find it gone, the first one connects.
    if (byTarget.get(key) === known)
      byTarget.set(key, { connection: connect(config, options), opening: createLimiter(maxOpening) });
    const made = byTarget.get(key);
    if (made === undefined || made === known) throw new Error('the bastion was closed');
    return { ...made, bastion: await made.connection };
  }

  return {
    async openStream(config, target, options) {
      try {
        const { bastion, opening } = await get(config, options);
        return await opening.run(() => bastion.openStream(target, options.signal), options.signal);
      } catch (error) {
        throw error instanceof BastionFailure ? asHostError(error, config, target) : error;
      }
    },
    async close() {
      const known = [...byTarget.values()];
      byTarget.clear();
      // One that never came about is closed already.
      await Promise.all(
        known.map(({ connection }) =>
          connection.then(
            (bastion) => bastion.close(),
            () => undefined,
          ),
        ),
      );
    },
  };
}

/** The bastion's own failure: it is told for each host, and not as that of the host. */
class BastionFailure extends Error {}

async function connect(config: BastionConfig, options: BastionOptions): Promise<Bastion> {
  const read = secretReader('the bastion', options.addSecret);
  const { address, port, user, keyFile, knownHosts } = config;
  // Loaded here, for whoever makes bundles opens no SSH connection.
  const { connectBastion } = await import('../transport/bastion.ts');
  try {
    return await connectBastion(
      {
        host: 'bastion',
        address,
        port,
        user,
        keyFile,
        knownHosts,
        keyPassphrase: await read(config.keyPassphrase, 'the passphrase of the key'),
        password: await read(config.password, 'the password'),
        agentSocket: keyFile === undefined ? process.env['SSH_AUTH_SOCK'] : undefined,
        connectTimeoutMs: config.connectTimeoutSeconds * 1000,
      },
      options,
    );
  } catch (error) {
    if (options.signal.aborted) throw error;
    throw new BastionFailure('the bastion failed', { cause: error });
  }
}

function asHostError(failure: BastionFailure, config: BastionConfig, target: SshTarget): InstallerError {
  const { cause } = failure;
  const known = cause instanceof InstallerError ? cause : undefined;
  return new InstallerError({
    code: 'SSH_BASTION',
    message: `${target.host} is reached through the bastion ${config.user}@${config.address}:${config.port}, which cannot be used: ${known?.message ?? String(cause)}`,
    remedy: known?.remedy ?? 'Correct spec.ssh.bastion in the cluster file.',
    host: target.host,
    details: known?.details ?? [],
    cause,
  });
}
