import type { Sink } from './events.ts';

/** One event a line, as docs/events.md describes them. */
export function createJsonlSink(write: (text: string) => void): Sink {
  return {
    handle: (event) => write(`${JSON.stringify(event)}\n`),
    close: () => Promise.resolve(),
  };
}
