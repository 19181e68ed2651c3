import type { ErrorReport, PhaseStatus, RunStatus } from './events.ts';
import { countOf, formatDuration, formatNames, indent, stripControls, type Paint, type Tone } from './format.ts';
import { formatErrors } from './format-error.ts';
import { errorKey, type Finding, type RunRecord } from './record.ts';

const statusWords: Record<RunStatus, readonly [Tone, string]> = {
  ok: ['good', 'finished'],
  partly: ['warn', 'partly done'],
  failed: ['bad', 'failed'],
  interrupted: ['bad', 'interrupted'],
};

/** The report at the end of a run: changes and time by phase, findings, failures, what to do next, where the log is. */
export function formatSummary(record: RunRecord, logFile: string | undefined, paint: Paint): string {
  const blocks = [
    heading(record, paint),
    phaseTable(record, paint),
    findingLines(record.findings, paint),
    block('Warnings:', record.warnings.map((text) => `- ${stripControls(text)}`).join('\n'), paint),
    block('Failures:', formatErrors(allErrors(record), paint), paint),
    block('Next:', (record.finished?.next ?? []).join('\n'), paint),
    logFile === undefined ? '' : `Log: ${logFile}`,
  ];
  return `${blocks.filter((text) => text !== '').join('\n\n')}\n`;
}

/** Words for the end of a phase: `3 changes`, `no change`, `skipped: REASON`. */
export function outcomeWords(phase: {
  readonly status: PhaseStatus;
  readonly changes: number;
  readonly reason?: string | undefined;
}): string {
  const { status, changes, reason } = phase;
  const counted = changes === 0 ? 'no change' : countOf(changes, 'change');
  if (status === 'planned') return changes === 0 ? 'nothing to do' : `${countOf(changes, 'change')} planned`;
  const words =
    status === 'ok' || status === 'changed' ? counted : changes === 0 ? status : `${status} after ${counted}`;
  return reason === undefined ? words : `${words}: ${stripControls(reason)}`;
}

function heading(record: RunRecord, paint: Paint): string {
  const { started, finished } = record;
  const name = `${started?.workflow ?? 'run'} ${started?.cluster ?? ''}`.trim();
  if (finished === undefined) return `${name}: ${paint('bad', 'ended before it was done')}`;
  const [tone, word] = statusWords[finished.status];
  const verb = started?.dryRun === true ? ' planned' : '';
  return `${name}: ${paint(tone, word)} in ${formatDuration(finished.durationMs)}, ${countOf(finished.changes, 'change')}${verb}`;
}

function phaseTable(record: RunRecord, paint: Paint): string {
  const phases = record.finished?.phases ?? [];
  const width = Math.max(0, ...phases.map((phase) => phase.id.length));
  return phases
    .map((phase) => {
      const words = outcomeWords(phase);
      const text = phase.status === 'failed' || phase.status === 'interrupted' ? paint('bad', words) : words;
      return `  ${phase.id.padEnd(width)}  ${formatDuration(phase.durationMs).padStart(7)}  ${text}`;
    })
    .join('\n');
}

function findingLines(findings: readonly Finding[], paint: Paint): string {
  const order = ['error', 'warning', 'info'];
  const sorted = findings.toSorted((a, b) => order.indexOf(a.severity) - order.indexOf(b.severity));
  return block('Findings:', sorted.map((finding) => formatFinding(finding, paint)).join('\n'), paint);
}

/** One finding in one to three lines: what, on which hosts, what to do. */
export function formatFinding(finding: Finding, paint: Paint): string {
  const tone: Tone = finding.severity === 'error' && !finding.ignored ? 'bad' : 'warn';
  const word = finding.ignored ? `${finding.severity}, ignored` : finding.severity;
  const where = finding.hosts.length === 0 ? '' : ` (${formatNames(finding.hosts)})`;
  const lines = [`${paint(tone, `${word}:`)} ${finding.check}: ${stripControls(finding.title)}${where}`];
  const seen = [
    finding.expected === undefined ? '' : `wanted ${stripControls(finding.expected)}`,
    finding.actual === undefined ? '' : `found ${stripControls(finding.actual)}`,
  ].filter((text) => text !== '');
  if (seen.length > 0) lines.push(`  ${seen.join(', ')}`);
  if (finding.remedy !== undefined) lines.push(`  do: ${stripControls(finding.remedy)}`);
  return lines.join('\n');
}

/** The errors of the run's end, then those that only a step or a host told of. */
function allErrors(record: RunRecord): readonly ErrorReport[] {
  const final = record.finished?.errors ?? [];
  const known = new Set(final.map(errorKey));
  return [...final, ...record.failures.map((failure) => failure.error).filter((error) => !known.has(errorKey(error)))];
}

function block(title: string, text: string, paint: Paint): string {
  return text === '' ? '' : `${paint('strong', title)}\n${indent(text, '  ')}`;
}
