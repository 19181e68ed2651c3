import type { InstallerError } from '../errors.ts';
import { sleep } from '../lib/deadline.ts';
import { interruptedError } from './gates.ts';
import type { RunContext } from './phase.ts';

export interface PollInput {
  readonly id: string;
  readonly description: string;
  readonly timeoutMs: number;
  readonly intervalMs: number;
  readonly context: Pick<RunContext, 'emitter' | 'signal'>;
  /** Undefined when the condition holds, else why it does not. A rejection ends the wait. */
  attempt(): Promise<string | undefined>;
  /** The error when the time is over; it quotes the last reason. */
  failure(lastReason: string): InstallerError | Promise<InstallerError>;
}

/** The one wait of the project: a named condition with a deadline, which says what it waits for and why not yet. */
export async function pollUntil(input: PollInput): Promise<void> {
  const { context, id, description } = input;
  const startedAt = performance.now();
  let announcedAt = -Infinity;
  for (;;) {
    const lastError = await input.attempt();
    const elapsedMs = Math.round(performance.now() - startedAt);
    if (lastError === undefined) {
      context.emitter.emit({ type: 'condition.met', condition: id, description, elapsedMs });
      return;
    }
    if (elapsedMs >= input.timeoutMs) throw await input.failure(lastError);
    if (elapsedMs - announcedAt >= 5000) {
      announcedAt = elapsedMs;
      context.emitter.emit({ type: 'condition.waiting', condition: id, description, elapsedMs, lastError });
    }
    try {
      await sleep(input.intervalMs, context.signal);
    } catch {
      throw interruptedError();
    }
  }
}
