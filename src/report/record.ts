import type { ErrorReport, PhaseStatus, PlannedChange, RunEvent, RunEventBody, Severity } from './events.ts';

type EventOf<T extends RunEventBody['type']> = Extract<RunEventBody, { type: T }>;

export interface PlannedStep {
  readonly phase: string;
  readonly host: string;
  readonly step: string;
  readonly changes: readonly PlannedChange[];
  readonly deferredUntil: string | undefined;
}

export interface Finding {
  readonly check: string;
  readonly severity: Severity;
  readonly title: string;
  readonly remedy: string | undefined;
  readonly expected: string | undefined;
  readonly actual: string | undefined;
  readonly source?: string | undefined;
  /** Hosts by what was read there. */
  readonly evidence: ReadonlyMap<string, readonly string[]>;
  readonly ignored: boolean;
  readonly hosts: readonly string[];
}

export interface FailedHost {
  readonly phase: string;
  readonly error: ErrorReport;
}

/** What is kept of a run's events for the report at its end. */
export interface RunRecord {
  readonly started: EventOf<'run.started'> | undefined;
  readonly finished: EventOf<'run.finished'> | undefined;
  readonly plan: readonly PlannedStep[];
  readonly findings: readonly Finding[];
  readonly warnings: readonly string[];
  /** Errors by `code`, host and message, with the phase they were met in. */
  readonly failures: readonly FailedHost[];
}

export interface RunRecorder {
  add(event: RunEvent): void;
  record(): RunRecord;
}

/** Gathers what the report at the end of a run needs; progress is not kept. */
export function createRecorder(): RunRecorder {
  let started: RunRecord['started'];
  let finished: RunRecord['finished'];
  const plan: PlannedStep[] = [];
  const findings = new Map<string, Finding>();
  const warnings = new Set<string>();
  const failures = new Map<string, FailedHost>();

  function addFailure(phase: string, error: ErrorReport): void {
    const key = errorKey(error);
    if (!failures.has(key)) failures.set(key, { phase, error });
  }

  return {
    add(event) {
      if (event.type === 'run.started') started = event;
      if (event.type === 'run.finished') finished = event;
      if (event.type === 'step.planned') plan.push({ ...event, deferredUntil: event.deferredUntil });
      if (event.type === 'check.finding') addFinding(findings, event);
      if (event.type === 'step.failed') addFailure(event.phase, event.error);
      if (event.type === 'host.finished' && event.error !== undefined) addFailure(event.phase, event.error);
      if (event.type === 'log' && event.level === 'warning') warnings.add(withHost(event.host, event.message));
    },
    record: () => ({
      started,
      finished,
      plan,
      findings: [...findings.values()],
      warnings: [...warnings],
      failures: [...failures.values()],
    }),
  };
}

/** Two reports with this key in common are the same failure. */
export function errorKey(error: ErrorReport): string {
  return JSON.stringify([error.code, error.host, error.message]);
}

/** `host: message`, where a host is concerned. */
export function withHost(host: string | undefined, message: string): string {
  return host === undefined ? message : `${host}: ${message}`;
}

/** True where the phase ended without doing its whole work. */
export function isBad(status: PhaseStatus): boolean {
  return status === 'failed' || status === 'interrupted';
}

function addFinding(findings: Map<string, Finding>, event: EventOf<'check.finding'>): void {
  const { check, severity, title, remedy, expected, actual, source, ignored } = event;
  const key = JSON.stringify([check, severity, title, expected, actual, ignored]);
  const known = findings.get(key);
  const own = event.host === undefined ? [] : [event.host];
  const evidence = new Map(known?.evidence);
  evidence.set(event.evidence, [...(evidence.get(event.evidence) ?? []), ...own]);
  findings.set(key, {
    check,
    severity,
    title,
    remedy,
    expected,
    actual,
    source,
    evidence,
    ignored,
    hosts: [...(known?.hosts ?? []), ...own],
  });
}
