import { InstallerError } from '../errors.ts';

/** Phases that others wait for: a gate opens when the phase is over on all its hosts, and breaks when it failed on one. */
export interface Gates {
  /**
   * True where the phase changed something. Rejects with PHASE_NOT_REACHED where it failed. Answers false at once for a
   * phase that is not part of this group.
   */
  wait(phase: string, signal: AbortSignal): Promise<boolean>;
  open(phase: string, changed: boolean): void;
  break(phase: string, host: string): void;
}

export function createGates(phases: readonly string[]): Gates {
  const gates = new Map(
    phases.map((id) => {
      const { promise, resolve, reject } = Promise.withResolvers<boolean>();
      promise.catch(() => undefined);
      return [id, { promise, resolve, reject }];
    }),
  );
  return {
    async wait(phase, signal) {
      const gate = gates.get(phase);
      if (gate === undefined) return false;
      return Promise.race([gate.promise, abortion(signal)]);
    },
    open(phase, changed) {
      gates.get(phase)?.resolve(changed);
    },
    break(phase, host) {
      gates.get(phase)?.reject(
        new InstallerError({
          code: 'PHASE_NOT_REACHED',
          message: `not started, because ${phase} failed on ${host}`,
          remedy: 'mend what failed there, then run the same command again',
        }),
      );
    },
  };
}

/** Rejects when the signal is aborted; never resolves. */
function abortion(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const stop = (): void => reject(interruptedError());
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
}

export function interruptedError(): InstallerError {
  return new InstallerError({
    code: 'INTERRUPTED',
    message: 'interrupted before it was started',
    remedy: 'run the same command again: it goes on from what is there',
  });
}
