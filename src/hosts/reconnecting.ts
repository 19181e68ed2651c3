import { InstallerError } from '../errors.ts';
import { retry } from '../lib/retry.ts';
import { outcomeUnknownCodes, type Transport } from '../transport/transport.ts';

export interface ReconnectOptions {
  /** Told that the connection was lost and is made anew. */
  readonly onReconnect: (reason: string) => void;
  /** For tests; defaults to five attempts, one to eight seconds apart. */
  readonly retryPolicy?: { readonly attempts: number; readonly baseDelayMs: number; readonly maxDelayMs: number };
}

/** A host that reboots or a cable that is pulled for a moment comes back within this time, or the run says so. */
const defaultPolicy = { attempts: 5, baseDelayMs: 1000, maxDelayMs: 8000 };

/** What may be different the next time; a wrong key or a rejected login is not. */
const passingCodes: ReadonlySet<string> = new Set([
  'SSH_REFUSED',
  'SSH_TIMEOUT',
  'SSH_UNREACHABLE',
  'SSH_DROPPED',
  'SSH_CONNECTION_LOST',
]);

function isPassing(error: unknown): boolean {
  return error instanceof InstallerError && passingCodes.has(error.code);
}

function isBastion(error: unknown): error is InstallerError {
  return error instanceof InstallerError && error.code === 'SSH_BASTION';
}

/**
 * A transport that connects again after its connection was lost. It never repeats a script: the call during which the
 * connection broke fails with the outcome unknown, and only the next call, a look at the host, makes a new connection.
 */
export function reconnecting(
  first: Transport,
  connect: () => Promise<Transport>,
  options: ReconnectOptions,
): Transport {
  let current = first;
  let earlierTrips = 0;
  let lost: string | undefined;
  let restoring: Promise<void> | undefined;

  async function restore(reason: string, signal: AbortSignal | undefined): Promise<void> {
    options.onReconnect(reason);
    await current.close().catch(() => undefined);
    const next = await retry(connect, {
      ...(options.retryPolicy ?? defaultPolicy),
      shouldRetry: (error) => isPassing(error) || (isBastion(error) && isPassing(error.cause)),
      ...(signal === undefined ? {} : { signal }),
    });
    earlierTrips += current.trips;
    current = next;
    lost = undefined;
  }

  return {
    get description() {
      return current.description;
    },
    get privilege() {
      return current.privilege;
    },
    get trips() {
      return earlierTrips + current.trips;
    },
    async exec(script, execOptions) {
      if (lost !== undefined) {
        restoring ??= restore(lost, execOptions.signal).finally(() => {
          restoring = undefined;
        });
        await restoring;
      }
      try {
        return await current.exec(script, execOptions);
      } catch (error) {
        if (error instanceof InstallerError && outcomeUnknownCodes.has(error.code)) lost = error.message;
        throw error;
      }
    },
    close: () => current.close(),
  };
}
