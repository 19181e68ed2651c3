import type { PhaseStatus, PlannedChange, RunEvent } from './events.ts';
import { countOf, formatBytes, formatClock, formatDuration, formatNames, stripControls } from './format.ts';
import { outcomeWords } from './format-summary.ts';
import { isBad, withHost } from './record.ts';

/** One phase as the live display shows it. */
export interface PhaseView {
  readonly id: string;
  readonly status: 'waiting' | 'running' | PhaseStatus;
  readonly title: string;
  /** At most four lines: hosts that failed, then the newest line of a host. */
  readonly output: string;
}

export interface TtyModel {
  apply(event: RunEvent): void;
  /** Views at `nowMs` (milliseconds since the epoch). */
  phases(nowMs: number): readonly PhaseView[];
  /** How far the run is, what is waited for, and what the reader was told last. */
  footer(nowMs: number): string;
}

interface PhaseState {
  readonly id: string;
  readonly title: string;
  status: PhaseView['status'];
  startedMs: number;
  hosts: number;
  readonly running: Set<string>;
  done: number;
  readonly failed: string[];
  newest: string;
  end: string;
}

/** Most hosts that failed to name under a running phase; the report at the end names them all. */
const namedFailures = 3;

/**
 * Folds events into a display whose height depends on the number of phases under way and never on the number of hosts.
 * Several phases may run at once, on different hosts; an event without a phase belongs to the one its host is in.
 */
export function createTtyModel(): TtyModel {
  const phases = new Map<string, PhaseState>();
  const phaseOfHost = new Map<string, string>();
  const waits = new Map<string, string>();
  const planned = new Map<string, PlannedChange[]>();
  let isDryRun = false;
  let runStartedMs: number | undefined;
  let hostCount = 0;
  let notice = '';

  function setNewest(host: string | undefined, text: string, phaseId?: string): void {
    const id = phaseId ?? (host === undefined ? undefined : phaseOfHost.get(host));
    const phase = id === undefined ? undefined : phases.get(id);
    const line = firstLine(withHost(host, text));
    if (phase === undefined) notice = line;
    else phase.newest = line;
  }

  /** The steps of a host are planned first and then applied in one go: what is under way is all that was planned. */
  function plannedText(phase: string, host: string, changes: readonly PlannedChange[]): string {
    const key = JSON.stringify([phase, host]);
    const all = [...(planned.get(key) ?? []), ...changes];
    planned.set(key, all);
    const first = all[0]?.summary ?? '';
    if (isDryRun) return `would ${changes[0]?.summary ?? ''}`;
    return all.length === 1 ? `applying: ${first}` : `applying ${all.length} changes: ${first}, ...`;
  }

  return {
    apply(event) {
      const atMs = Date.parse(event.time);
      switch (event.type) {
        case 'run.started':
          runStartedMs = atMs;
          hostCount = event.hosts.length;
          isDryRun = event.dryRun;
          for (const { id, title } of event.phases) phases.set(id, newPhase(id, title.padEnd(widest(event.phases))));
          break;
        case 'phase.started': {
          const phase = phases.get(event.phase);
          if (phase !== undefined)
            Object.assign(phase, { status: 'running', startedMs: atMs, hosts: event.hosts.length });
          break;
        }
        case 'phase.finished': {
          const phase = phases.get(event.phase);
          if (phase === undefined) break;
          phase.status = event.status;
          const failed = phase.failed.length === 0 ? '' : ` on ${formatNames(phase.failed, namedFailures)}`;
          phase.end = `${outcomeWords(event)}${isBad(event.status) ? failed : ''}${event.status === 'skipped' ? '' : `  ${formatDuration(event.durationMs)}`}`;
          break;
        }
        case 'host.started':
          phases.get(event.phase)?.running.add(event.host);
          phaseOfHost.set(event.host, event.phase);
          break;
        case 'host.finished': {
          const phase = phases.get(event.phase);
          if (phase === undefined) break;
          phase.running.delete(event.host);
          phase.done += 1;
          if (isBad(event.status)) phase.failed.push(event.host);
          break;
        }
        case 'step.applied':
          setNewest(event.host, event.summary, event.phase);
          break;
        case 'step.planned':
          if (event.changes.length > 0)
            setNewest(event.host, plannedText(event.phase, event.host, event.changes), event.phase);
          break;
        case 'step.failed':
          setNewest(event.host, `${event.step} failed: ${event.error.message}`, event.phase);
          break;
        case 'command.finished':
          setNewest(event.host, event.summary, event.phase);
          break;
        case 'transfer.progress':
          setNewest(event.host, `${event.item}: ${formatProgress(event.doneBytes, event.totalBytes)}`);
          break;
        case 'condition.waiting': {
          const reason = event.lastError === undefined ? '' : `: ${stripControls(event.lastError)}`;
          waits.set(
            event.condition,
            firstLine(`waiting for ${event.description} (${formatDuration(event.elapsedMs)})${reason}`),
          );
          break;
        }
        case 'condition.met':
          waits.delete(event.condition);
          break;
        case 'log':
          if (event.level === 'debug') break;
          notice = firstLine(
            `${event.level === 'info' ? '' : `${event.level}: `}${withHost(event.host, event.message)}`,
          );
          break;
        case 'check.finding':
        case 'run.finished':
          break;
      }
    },
    phases: (nowMs) => [...phases.values()].map((phase) => viewOf(phase, nowMs)),
    footer(nowMs) {
      if (runStartedMs === undefined) return notice;
      const states = [...phases.values()];
      const ended = states.filter((phase) => phase.status !== 'waiting' && phase.status !== 'running').length;
      const clock = formatClock(nowMs - runStartedMs);
      const progress = `${clock}  ${ended} of ${countOf(states.length, 'phase')} done, ${countOf(hostCount, 'host')}`;
      const wait = [...waits.values()].at(-1) ?? '';
      return [progress, wait, notice].filter((line) => line !== '').join('\n');
    },
  };
}

function widest(phases: readonly { readonly title: string }[]): number {
  return Math.max(...phases.map((phase) => phase.title.length));
}

function newPhase(id: string, title: string): PhaseState {
  return {
    id,
    title,
    status: 'waiting',
    startedMs: 0,
    hosts: 0,
    running: new Set(),
    done: 0,
    failed: [],
    newest: '',
    end: '',
  };
}

function viewOf(phase: PhaseState, nowMs: number): PhaseView {
  const { id, status } = phase;
  if (status === 'waiting') return { id, status, title: phase.title, output: '' };
  if (status !== 'running') return { id, status, title: `${phase.title}  ${phase.end}`, output: '' };
  const hosts = phase.hosts < 2 ? '' : `  ${phase.done} of ${phase.hosts} hosts done, ${phase.running.size} running`;
  const failed = phase.failed.slice(0, namedFailures).map((host) => `${host}: failed`);
  const more = phase.failed.length - failed.length;
  if (more > 0) failed[namedFailures - 1] = `${failed[namedFailures - 1] ?? ''}, and ${more} more`;
  const output = [...failed, phase.newest].filter((line) => line !== '').join('\n');
  return { id, status, title: `${phase.title}  ${formatClock(nowMs - phase.startedMs)}${hosts}`, output };
}

function formatProgress(doneBytes: number, totalBytes: number | undefined): string {
  if (totalBytes === undefined || totalBytes === 0) return formatBytes(doneBytes);
  return `${formatBytes(doneBytes)} of ${formatBytes(totalBytes)} (${Math.floor((100 * doneBytes) / totalBytes)} %)`;
}

/** The first line that holds something; a live line never grows to two. */
function firstLine(text: string): string {
  return stripControls(text).trim().split('\n')[0] ?? '';
}
