import type { RunEvent } from './events.ts';
import { createPaint } from './format.ts';
import { formatFindings, withoutFindings } from './format-findings.ts';
import { formatPlan } from './format-plan.ts';
import { formatSummary } from './format-summary.ts';
import { createRecorder } from './record.ts';

/** Where a sink for people writes: the result of the run to stdout, everything else to stderr. */
export interface ReportOutput {
  readonly progress: (text: string) => void;
  readonly result: (text: string) => void;
  readonly color: boolean;
  /** Where the run log is, once it is known. */
  readonly logFile: () => string | undefined;
}

export interface EndReport {
  add(event: RunEvent): void;
  /** Writes plan and summary; nothing where no run was started. */
  write(): void;
}

/** What the live display and the plain lines have in common: the report at the end of the run. */
export function createEndReport(output: ReportOutput): EndReport {
  const recorder = createRecorder();
  const paint = createPaint(output.color);
  return {
    add: (event) => recorder.add(event),
    write() {
      const record = recorder.record();
      if (record.started === undefined) return;
      if (record.started.dryRun) output.result(formatPlan(record, paint));
      const isPrecheck = record.started.workflow === 'precheck';
      if (isPrecheck) output.result(formatFindings(record, paint));
      const rest = isPrecheck ? withoutFindings(record) : record;
      output.progress(`\n${formatSummary(rest, output.logFile(), paint)}`);
    },
  };
}
