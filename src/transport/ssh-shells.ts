import type { Client, ClientChannel } from 'ssh2';
import { sleep } from '../lib/deadline.ts';
import { passwordPreamble, shellCommands } from './ssh-privilege.ts';
import type { ShellKind } from './ssh-privilege.ts';

/** A started shell that waits for a script on its stdin. */
export interface Shell {
  readonly channel: ClientChannel;
  /** Set as soon as the shell has ended. */
  readonly exit: { readonly code: number | undefined; readonly signal: string | undefined } | undefined;
}

/** The shells of one connection. */
export interface Shells {
  /** A shell of the kind, ready for one script. Fails with the error of ssh2 where the connection is gone. */
  take(kind: ShellKind, signal: AbortSignal): Promise<Shell>;
  /** Starts shells of the kind for the scripts to come; `started` is one that runs already. */
  prepare(kind: ShellKind, started?: Shell): void;
  close(): void;
}

/**
 * Sessions at once on one connection, waiting shells included. sshd allows 10 (MaxSessions in sshd_config(5)), and counts a
 * session for a moment after its channel is closed; hence the distance.
 */
export const maxSessions = 6;
/**
 * Starting a shell takes two round trips (open the channel, request the command) and the time of the login shell. With three
 * ahead of it, a script that follows the last one at once still finds a shell waiting, and takes one round trip.
 */
const usualSpares = 3;
/** A spare is dropped after this time: sudo itself gives up after some minutes, and an old shell might be dead unnoticed. */
const spareMs = 60_000;
/** After the server refused a session for a spare, none is asked for during this time. */
const refusedPauseMs = 10_000;
/** Where the server has no session left, opening is repeated as long as scripts run, and so often when none does. */
const openAttempts = 50;
const openDelayMs = 100;

interface Spare {
  readonly kind: ShellKind;
  /** Undefined where the server opened no session for it. */
  readonly shell: Promise<Shell | undefined>;
  readonly expiry: NodeJS.Timeout;
}

/**
 * Makes the shells of a connection; `sudoPassword` is sent to those of the kind sudo-password. `spares`: how many are kept
 * waiting. A command that sends one or two scripts needs no more, and saves the hosts the processes and this one the memory.
 */
export function createShells(client: Client, sudoPassword: string | undefined, maxSpares = usualSpares): Shells {
  const spares: Spare[] = [];
  let noSparesBefore = 0;
  /** Scripts that have a shell or wait for one. */
  let wanted = 0;
  /** Scripts that have a shell. */
  let running = 0;
  let closed = false;

  const start = async (kind: ShellKind): Promise<Shell> => {
    const shell = await openShell(client, shellCommands[kind]);
    if (kind === 'sudo-password') shell.channel.write(passwordPreamble(sudoPassword ?? ''));
    return shell;
  };

  const remove = (spare: Spare): void => {
    clearTimeout(spare.expiry);
    const index = spares.indexOf(spare);
    if (index >= 0) spares.splice(index, 1);
  };

  const drop = (spare: Spare): void => {
    remove(spare);
    void spare.shell.then((shell) => shell?.channel.close());
  };

  const addSpare = (kind: ShellKind, starting: Promise<Shell>): void => {
    const shell = starting.catch(() => {
      // The server allows fewer sessions than assumed; for a while scripts get along with what it has.
      noSparesBefore = performance.now() + refusedPauseMs;
      remove(spare);
      return undefined;
    });
    const expiry = setTimeout(() => drop(spare), spareMs).unref();
    const spare: Spare = { kind, shell, expiry };
    spares.push(spare);
  };

  const fill = (kind: ShellKind): void => {
    if (closed || performance.now() < noSparesBefore) return;
    while (spares.length < maxSpares && wanted + spares.length < maxSessions) addSpare(kind, start(kind));
  };

  const takeSpare = async (kind: ShellKind): Promise<Shell | undefined> => {
    for (;;) {
      const spare = spares.find((candidate) => candidate.kind === kind);
      if (!spare) return undefined;
      remove(spare);
      const shell = await spare.shell;
      if (shell && !shell.exit) return shell;
    }
  };

  const startRetrying = async (kind: ShellKind, signal: AbortSignal): Promise<Shell> => {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await start(kind);
      } catch (error) {
        if (!isNoSessionLeft(error) || (running === 0 && attempt >= openAttempts)) throw error;
        for (const spare of [...spares]) drop(spare);
        await sleep(openDelayMs, signal);
      }
    }
  };

  return {
    async take(kind, signal) {
      wanted += 1;
      try {
        const shell = (await takeSpare(kind)) ?? (await startRetrying(kind, signal));
        running += 1;
        shell.channel.once('close', () => {
          wanted -= 1;
          running -= 1;
        });
        fill(kind);
        return shell;
      } catch (error) {
        wanted -= 1;
        throw error;
      }
    },
    prepare(kind, started) {
      if (started) addSpare(kind, Promise.resolve(started));
      fill(kind);
    },
    close() {
      closed = true;
      for (const spare of [...spares]) drop(spare);
    },
  };
}

/** Runs a command line in a new channel. */
export function openShell(client: Client, command: string): Promise<Shell> {
  return new Promise((resolve, reject) => {
    client.exec(command, (error, channel) => {
      if (error) {
        reject(error);
        return;
      }
      let exit: Shell['exit'];
      // Attached here, in the callback: the end of the shell can be in the same packet as the answer to the request.
      channel.on('exit', (code: number | null, signal?: string) => {
        exit = { code: code ?? undefined, signal };
      });
      channel.on('error', () => undefined);
      resolve({
        channel,
        get exit() {
          return exit;
        },
      });
    });
  });
}

/** The server refused to open a channel (RFC 4254, 5.1), as it does at MaxSessions. ssh2 sets `reason` on no other error. */
function isNoSessionLeft(error: unknown): boolean {
  return error instanceof Error && 'reason' in error && typeof error.reason === 'number';
}
