import { sleep } from '../lib/deadline.ts';
import { isTransient, waitOf, type OciError } from './oci-errors.ts';

/** Lets all requests to one server wait where one was too many: too much for one is too much for all, streams too. */
export interface Pause {
  /** Waits for as long as the server asked, last. Rejects with the signal's reason where that aborts. */
  wait(signal?: AbortSignal): Promise<void>;
  /** Takes note of an answer that was an error. */
  note(error: OciError): void;
}

export function createPause(): Pause {
  let untilMs = 0;
  return {
    async wait(signal) {
      const waitMs = untilMs - Date.now();
      if (waitMs > 0) await sleep(waitMs, signal);
    },
    note(error) {
      if (error.status === 429 && isTransient(error)) untilMs = Math.max(untilMs, Date.now() + waitOf(error));
    },
  };
}
