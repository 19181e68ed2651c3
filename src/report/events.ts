/** Version of the event stream; a consumer refuses a major it does not know. */
export const eventVersion = '1.0';

export type Severity = 'error' | 'warning' | 'info';
export type RunStatus = 'ok' | 'failed' | 'partly' | 'interrupted';
export type PhaseStatus = 'ok' | 'changed' | 'planned' | 'skipped' | 'failed' | 'interrupted';

export interface PlannedChange {
  readonly summary: string;
  /** Unified diff of a file, or before/after lines; secrets stand as placeholders. */
  readonly diff?: string | undefined;
  readonly disruptive?: boolean | undefined;
}

export interface ErrorReport {
  readonly code: string;
  readonly message: string;
  readonly host?: string | undefined;
  readonly remedy?: string | undefined;
  readonly details: readonly string[];
}

export type RunEventBody =
  | {
      readonly type: 'run.started';
      readonly eventVersion: string;
      readonly version: string;
      readonly runId: string;
      readonly workflow: string;
      readonly cluster: string;
      readonly dryRun: boolean;
      readonly phases: readonly { readonly id: string; readonly title: string }[];
      readonly hosts: readonly string[];
      readonly logFile?: string | undefined;
    }
  | {
      readonly type: 'run.finished';
      readonly status: RunStatus;
      readonly durationMs: number;
      /** Number of changes applied (or planned, on a dry run). */
      readonly changes: number;
      readonly errors: readonly ErrorReport[];
      readonly phases: readonly {
        readonly id: string;
        readonly status: PhaseStatus;
        readonly durationMs: number;
        readonly changes: number;
      }[];
      /** Round trips by host. */
      readonly trips: Readonly<Record<string, number>>;
      /** What to do next, one line each. */
      readonly next: readonly string[];
    }
  | { readonly type: 'phase.started'; readonly phase: string; readonly hosts: readonly string[] }
  | {
      readonly type: 'phase.finished';
      readonly phase: string;
      readonly status: PhaseStatus;
      readonly durationMs: number;
      readonly changes: number;
      readonly reason?: string | undefined;
    }
  /** One host entered, or ended, a phase. */
  | { readonly type: 'host.started'; readonly phase: string; readonly host: string }
  | {
      readonly type: 'host.finished';
      readonly phase: string;
      readonly host: string;
      readonly status: PhaseStatus;
      readonly durationMs: number;
      readonly changes: number;
      readonly error?: ErrorReport | undefined;
    }
  | {
      readonly type: 'step.planned';
      readonly phase: string;
      readonly host: string;
      readonly step: string;
      readonly changes: readonly PlannedChange[];
      /** The plan depends on something that this earlier phase makes. */
      readonly deferredUntil?: string | undefined;
    }
  | {
      readonly type: 'step.applied';
      readonly phase: string;
      readonly host: string;
      readonly step: string;
      readonly summary: string;
      readonly durationMs: number;
    }
  | {
      readonly type: 'step.failed';
      readonly phase: string;
      readonly host: string;
      readonly step: string;
      readonly error: ErrorReport;
    }
  | {
      readonly type: 'check.finding';
      readonly check: string;
      readonly severity: Severity;
      /** Nothing was judged: what was to be read, measured or tried could not be. */
      readonly isUnchecked?: boolean;
      readonly host?: string | undefined;
      readonly title: string;
      readonly expected?: string | undefined;
      readonly actual?: string | undefined;
      /** What was read on the host, and the lines of it that tell: one line, at most 300 characters. */
      readonly evidence: string;
      readonly remedy?: string | undefined;
      /** Where the requirement comes from. */
      readonly source?: string | undefined;
      readonly ignored: boolean;
    }
  | {
      readonly type: 'condition.waiting';
      readonly condition: string;
      readonly description: string;
      readonly elapsedMs: number;
      readonly lastError?: string | undefined;
    }
  | {
      readonly type: 'condition.met';
      readonly condition: string;
      readonly description: string;
      readonly elapsedMs: number;
    }
  /** One script that went to a host: for the run log. `summary` holds no secrets. */
  | {
      readonly type: 'command.finished';
      readonly host: string;
      readonly phase?: string | undefined;
      readonly summary: string;
      readonly durationMs: number;
      readonly exitCode?: number | undefined;
      readonly bytesSent: number;
      readonly bytesReceived: number;
    }
  | {
      readonly type: 'log';
      readonly level: 'debug' | 'info' | 'warning' | 'error';
      readonly host?: string | undefined;
      readonly message: string;
    }
  | {
      readonly type: 'transfer.progress';
      readonly host?: string | undefined;
      readonly item: string;
      readonly doneBytes: number;
      readonly totalBytes?: number | undefined;
    };

export type RunEvent = RunEventBody & {
  /** RFC 3339, UTC. */
  readonly time: string;
  /** Counts from 1 within a run. */
  readonly seq: number;
};

/** A consumer of events. Only sinks print. `close` flushes. */
export interface Sink {
  handle(event: RunEvent): void;
  close(): Promise<void>;
}
