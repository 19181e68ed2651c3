import type { Readable } from 'node:stream';
import { sleep } from '../lib/deadline.ts';
import { backoffMs } from '../lib/retry.ts';
import type { Patience } from './endpoint.ts';
import { isTransient, waitOf } from './oci-errors.ts';

/**
 * The bytes of something that can be opened at any of them. Where it breaks for a passing reason it is opened again behind the
 * last byte, not before the time that the other side asked to wait; `attempts` times without a new byte end it with the last error.
 */
export async function* continued(
  open: (startByte: number) => Promise<Readable>,
  sizeBytes: number,
  options: Pick<Patience, 'attempts' | 'baseDelayMs' | 'maxDelayMs'> & { readonly signal?: AbortSignal | undefined },
): AsyncGenerator<Uint8Array> {
  let done = 0;
  let failures = 0;
  while (failures === 0 || done < sizeBytes) {
    const before = done;
    try {
      for await (const chunk of (await open(done)) as AsyncIterable<Uint8Array>) {
        done += chunk.length;
        yield chunk;
      }
      return;
    } catch (error) {
      failures = done > before ? 1 : failures + 1;
      if (!isTransient(error) || failures >= options.attempts) throw error;
      await sleep(Math.max(waitOf(error), backoffMs(failures, options, Math.random)), options.signal);
    }
  }
}
