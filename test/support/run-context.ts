import type { RunContext } from '../../src/engine/phase.ts';
import { createEmitter } from '../../src/report/emitter.ts';
import type { RunEvent, RunEventBody } from '../../src/report/events.ts';

export interface TestContext extends RunContext {
  /** All events so far, as a sink gets them. */
  readonly events: readonly RunEvent[];
  of<T extends RunEventBody['type']>(type: T): Extract<RunEvent, { type: T }>[];
  abort(reason?: Error): void;
}

/** A run's context whose events the test can read. */
export function createTestContext(given: Partial<Pick<RunContext, 'dryRun' | 'runId'>> = {}): TestContext {
  const events: RunEvent[] = [];
  const emitter = createEmitter([{ handle: (event) => events.push(event), close: () => Promise.resolve() }], () => 0);
  const controller = new AbortController();
  const secrets = new Map<string, string>();
  return {
    runId: '0a1b2c3d',
    dryRun: false,
    concurrency: 100,
    ...given,
    emitter,
    signal: controller.signal,
    secrets,
    setSecret(name, value) {
      emitter.addSecret(value);
      secrets.set(name, value);
    },
    events,
    of: <T extends RunEventBody['type']>(type: T) =>
      events.filter((event): event is Extract<RunEvent, { type: T }> => event.type === type),
    abort: (reason) => controller.abort(reason),
  };
}
