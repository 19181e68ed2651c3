import type { RunEvent, RunEventBody, Sink } from './events.ts';
import { createRedactor, type Redactor } from './redact.ts';

export interface Emitter {
  emit(body: RunEventBody): void;
  /** Values that must never appear in any event; matched wherever they stand in a string. */
  addSecret(value: string): void;
  close(): Promise<void>;
}

/** The one way to the sinks: numbers, dates and redacts every event. `now` gives milliseconds since the epoch. */
export function createEmitter(sinks: readonly Sink[], now: () => number = Date.now): Emitter {
  const redactor: Redactor = createRedactor();
  let seq = 0;
  return {
    emit(body) {
      seq += 1;
      const event = { ...redactor.redact(body), time: new Date(now()).toISOString(), seq } as RunEvent;
      for (const sink of sinks) sink.handle(event);
    },
    addSecret(value) {
      redactor.add(value);
    },
    async close() {
      for (const sink of sinks) await sink.close();
    },
  };
}
