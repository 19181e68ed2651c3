import { silentWaitSeconds, describeLockHolder } from '../ops/lock.ts';
import type { LockWatch } from '../ops/frames.ts';
import type { RunContext } from './phase.ts';

/** What a script writes about itself for those that wait for it: `run 0a1b2c3d (install-runtime)`. */
export function lockHolderName({ runId }: Pick<RunContext, 'runId'>, phase: string): string {
  return `run ${runId} (${phase})`;
}

const tellEveryMs = 5000;

/**
 * Tells that a host waits for the script of an earlier run, which goes on there although nobody listens to it any more, or for that
 * of a run elsewhere. `end` whatever became of the script.
 */
export function tellLockWait(
  { emitter, runId }: Pick<RunContext, 'emitter' | 'runId'>,
  host: string,
): LockWatch & { end(): void } {
  const condition = `lock/${host}`;
  const description = `the lock of ${host}`;
  let timer: NodeJS.Timeout | undefined;
  let sinceMs = 0;
  const elapsedMs = (): number => Math.round(performance.now() - sinceMs);
  const end = (): void => clearInterval(timer);
  return {
    onWait(holder) {
      sinceMs = performance.now() - silentWaitSeconds * 1000;
      const own = holder.what.startsWith(`run ${runId} `) ? 'an earlier script of this run, ' : '';
      const lastError = `${own}${describeLockHolder(holder, Date.now())}, is still changing this host`;
      const tell = (): void => {
        emitter.emit({ type: 'condition.waiting', condition, description, elapsedMs: elapsedMs(), lastError });
      };
      tell();
      timer = setInterval(tell, tellEveryMs);
    },
    onTaken() {
      end();
      emitter.emit({ type: 'condition.met', condition, description, elapsedMs: elapsedMs() });
    },
    end,
  };
}
