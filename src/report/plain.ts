import { createEndReport, type ReportOutput } from './end-report.ts';
import type { RunEvent, Sink } from './events.ts';
import {
  countOf,
  createPaint,
  formatBytes,
  formatClock,
  formatDuration,
  formatNames,
  indent,
  stripControls,
  type Paint,
} from './format.ts';
import { formatErrors } from './format-error.ts';
import { formatFinding, outcomeWords } from './format-summary.ts';
import { isBad, withHost } from './record.ts';

export interface PlainOptions extends ReportOutput {
  /** Show every command and debug line too. */
  readonly debug: boolean;
}

/** Something that repeats (waiting, a transfer) is told again only after this time. */
const repeatAfterMs = 30_000;

/** Progress as lines: time since the start, phase, host, what happened. For logs, pipes and terminals without a cursor. */
export function createPlainSink(options: PlainOptions): Sink {
  const end = createEndReport(options);
  const paint = createPaint(options.color);
  const lastTold = new Map<string, number>();
  let startMs: number | undefined;
  let isPrecheck = false;

  function isDue(key: string, atMs: number): boolean {
    const last = lastTold.get(key);
    if (last !== undefined && atMs - last < repeatAfterMs) return false;
    lastTold.set(key, atMs);
    return true;
  }

  return {
    handle(event) {
      end.add(event);
      if (event.type === 'run.started') isPrecheck = event.workflow === 'precheck';
      // The findings of a precheck are its result: they come as a table at the end.
      if (event.type === 'check.finding' && isPrecheck) return;
      const atMs = Date.parse(event.time);
      startMs ??= atMs;
      const key = repeatKey(event);
      if (key !== undefined && !isDue(key, atMs)) return;
      const line = formatEvent(event, options.debug, paint);
      if (line !== undefined) options.progress(`${paint('dim', formatClock(atMs - startMs))} ${line}\n`);
    },
    close() {
      end.write();
      return Promise.resolve();
    },
  };
}

function repeatKey(event: RunEvent): string | undefined {
  if (event.type === 'condition.waiting') return `condition ${event.condition}`;
  if (event.type !== 'transfer.progress' || event.doneBytes === event.totalBytes) return undefined;
  return `transfer ${event.host ?? ''} ${event.item}`;
}

/** The line for one event; undefined for those that only machines read, and for hosts on which nothing changed. */
function formatEvent(event: RunEvent, debug: boolean, paint: Paint): string | undefined {
  switch (event.type) {
    case 'run.started': {
      const mode = event.dryRun ? ', dry run' : '';
      return `${event.workflow} ${event.cluster}: ${countOf(event.hosts.length, 'host')}, ${countOf(event.phases.length, 'phase')}${mode} (installer ${event.version}, run ${event.runId})`;
    }
    case 'phase.started':
      return `${event.phase}: started${event.hosts.length === 0 ? '' : ` on ${formatNames(event.hosts, 4)}`}`;
    case 'phase.finished': {
      const time = event.status === 'skipped' ? '' : ` in ${formatDuration(event.durationMs)}`;
      const text = `${event.phase}: ${outcomeWords(event)}${time}`;
      return isBad(event.status) ? paint('bad', text) : text;
    }
    case 'host.finished': {
      if (event.changes === 0 && !isBad(event.status)) return undefined;
      const text = `${event.phase}: ${event.host}: ${outcomeWords(event)} in ${formatDuration(event.durationMs)}`;
      return isBad(event.status) ? paint('bad', text) : text;
    }
    case 'step.applied':
      // Without its duration: steps of a host are applied together, and each would show the time of all.
      return `${event.phase}: ${event.host}: ${stripControls(event.summary)}`;
    case 'step.failed':
      return `${event.phase}: ${event.host}: ${event.step} failed\n${indent(formatErrors([event.error], paint), '      ')}`;
    case 'check.finding': {
      const hosts = event.host === undefined ? [] : [event.host];
      const { expected, actual, remedy } = event;
      const evidence = new Map([[event.evidence, hosts]]);
      return formatFinding({ ...event, expected, actual, evidence, remedy, hosts }, paint).replaceAll('\n', '\n      ');
    }
    case 'condition.waiting': {
      const reason = event.lastError === undefined ? '' : `: ${stripControls(event.lastError)}`;
      return `waiting for ${event.description} (${formatDuration(event.elapsedMs)})${reason}`;
    }
    case 'condition.met':
      return event.elapsedMs < 1000 && !debug
        ? undefined
        : `${event.description}: yes, after ${formatDuration(event.elapsedMs)}`;
    case 'transfer.progress': {
      const total = event.totalBytes === undefined ? '' : ` of ${formatBytes(event.totalBytes)}`;
      return `${withHost(event.host, event.item)}: ${formatBytes(event.doneBytes)}${total}`;
    }
    case 'log':
      if (event.level === 'debug' && !debug) return undefined;
      return `${event.level === 'info' ? '' : `${event.level}: `}${withHost(event.host, messageText(event.message, debug))}`;
    case 'command.finished':
      if (!debug) return undefined;
      return `${event.host}: ${stripControls(event.summary)}: exit ${event.exitCode ?? 'unknown'} in ${formatDuration(event.durationMs)}`;
    case 'run.finished':
    case 'host.started':
    case 'step.planned':
      return undefined;
  }
}

/** The first line: what follows, a stack for one, is for the run log. */
function messageText(message: string, debug: boolean): string {
  const text = stripControls(message);
  return debug ? text : (text.split('\n')[0] ?? '');
}
