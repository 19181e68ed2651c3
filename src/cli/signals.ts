import { exitCodes, InstallerError } from '../errors.ts';
import { formatNames } from '../report/format.ts';

const signals = { SIGINT: exitCodes.interrupted, SIGTERM: exitCodes.terminated } as const;
type Signal = keyof typeof signals;

export interface SignalHandling {
  /** Aborted by the first signal, with an InstallerError that carries the exit code as its reason. */
  readonly signal: AbortSignal;
  /** Tells where to look up the hosts that are being worked on. */
  readonly setBusyHosts: (hosts: () => readonly string[]) => void;
}

/**
 * The first SIGINT or SIGTERM asks the run to end: what is running on hosts is awaited. The second leaves at once,
 * through `leave`, with the text to show.
 */
export function handleSignals(
  source: Pick<NodeJS.Process, 'on'>,
  leave: (exitCode: number, text: string) => void,
): SignalHandling {
  const controller = new AbortController();
  let busyHosts: () => readonly string[] = () => [];
  for (const name of Object.keys(signals) as Signal[]) {
    source.on(name, () => {
      if (controller.signal.aborted) leave(signals[name], leavingText(busyHosts()));
      else controller.abort(interruption(name));
    });
  }
  return {
    signal: controller.signal,
    setBusyHosts: (hosts) => (busyHosts = hosts),
  };
}

function interruption(name: Signal): InstallerError {
  return new InstallerError({
    code: 'INTERRUPTED',
    message: `Interrupted by ${name}`,
    remedy: 'Run the same command again: it goes on where this run ended.',
    exitCode: signals[name],
  });
}

function leavingText(hosts: readonly string[]): string {
  const where =
    hosts.length === 0 ? 'No host was being worked on.' : `May still be running on ${formatNames(hosts, 10)}.`;
  return `\nLeft at once. ${where} The same command again goes on from there.\n`;
}
