import type { Emitter } from '../report/emitter.ts';
import type { PhaseStatus } from '../report/events.ts';
import { reportError } from './failures.ts';
import type { Gates } from './gates.ts';
import type { LaneOutcome } from './lane.ts';
import type { HostPhase } from './phase.ts';

export interface PhaseRecord {
  readonly id: string;
  status: PhaseStatus;
  durationMs: number;
  changes: number;
}

export interface Tracker {
  readonly record: PhaseRecord;
  enter(host: string): void;
  leave(host: string, outcome: LaneOutcome): void;
  openIfEmpty(): void;
}

/** Follows one phase over its hosts: it starts with the first that enters and ends with the last that leaves. */
export function createTracker<S>(phase: HostPhase<S>, state: S, emitter: Emitter, gates: Gates): Tracker {
  const hosts = phase.hosts(state).map(({ name }) => name);
  const waiting = new Set(hosts);
  const record: PhaseRecord = { id: phase.id, status: 'ok', durationMs: 0, changes: 0 };
  const statuses: PhaseStatus[] = [];
  let startedAt: number | undefined;
  function end(): void {
    record.status = worstStatus(statuses);
    record.durationMs = startedAt === undefined ? 0 : performance.now() - startedAt;
    emitter.emit({
      type: 'phase.finished',
      phase: phase.id,
      status: record.status,
      durationMs: record.durationMs,
      changes: record.changes,
    });
    if (!['failed', 'skipped', 'interrupted'].includes(record.status)) gates.open(phase.id, record.changes > 0);
  }
  return {
    record,
    enter(host) {
      if (startedAt === undefined) {
        startedAt = performance.now();
        emitter.emit({ type: 'phase.started', phase: phase.id, hosts });
      }
      emitter.emit({ type: 'host.started', phase: phase.id, host });
    },
    leave(host, outcome) {
      if (!waiting.delete(host)) return;
      statuses.push(outcome.status);
      record.changes += outcome.changes;
      const { status, durationMs, changes, error } = outcome;
      emitter.emit({
        type: 'host.finished',
        phase: phase.id,
        host,
        status,
        durationMs,
        changes,
        ...(error === undefined ? {} : { error: reportError(error) }),
      });
      if (status === 'failed' || status === 'skipped' || status === 'interrupted') gates.break(phase.id, host);
      if (waiting.size === 0) end();
    },
    openIfEmpty() {
      if (hosts.length === 0) end();
    },
  };
}

const statusOrder: readonly PhaseStatus[] = ['failed', 'interrupted', 'skipped', 'changed', 'planned', 'ok'];

function worstStatus(statuses: readonly PhaseStatus[]): PhaseStatus {
  return statusOrder.find((status) => statuses.includes(status)) ?? 'ok';
}
