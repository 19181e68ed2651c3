import type { ErrorReport, Severity } from './events.ts';
import { countOf, formatNames, formatTable, indent, stripControls, type Paint, type Tone } from './format.ts';
import type { Finding, RunRecord } from './record.ts';

/** What a precheck tells of: findings, and hosts that could not be looked at, which is an error of theirs. */
export interface FindingRow extends Omit<Finding, 'hosts'> {
  readonly hosts: readonly string[];
}

const severities: readonly Severity[] = ['error', 'warning', 'info'];
const tones: Readonly<Record<Severity, Tone>> = { error: 'bad', warning: 'warn', info: 'dim' };

/** The findings of a run, errors first and then in the order of the hosts in the cluster file. */
export function findingRows(record: RunRecord): FindingRow[] {
  const order = record.started?.hosts ?? [];
  const place = ({ hosts: [host] }: FindingRow): number => (host === undefined ? -1 : order.indexOf(host));
  const rank = ({ severity, ignored }: FindingRow): number => severities.indexOf(severity) + (ignored ? 10 : 0);
  const rows = [...hostErrors(record).map(toRow), ...record.findings];
  return rows.toSorted((a, b) => rank(a) - rank(b) || place(a) - place(b));
}

/** `2 errors, 1 warning`; ignored findings are counted for themselves. */
export function countFindings(rows: readonly FindingRow[]): string {
  const counted = severities.map((severity) => {
    const count = rows.filter((row) => row.severity === severity && !row.ignored).length;
    return count === 0 ? '' : severity === 'info' ? `${count} for information` : countOf(count, severity);
  });
  const ignored = rows.filter((row) => row.ignored).length;
  return [...counted, ignored === 0 ? '' : `${ignored} ignored`].filter((text) => text !== '').join(', ');
}

/** The result of a precheck: a table of what was found, and below it once for each check what to do. */
export function formatFindings(record: RunRecord, paint: Paint): string {
  const rows = findingRows(record);
  const of = `cluster ${record.started?.cluster ?? ''}, ${countOf(record.started?.hosts.length ?? 0, 'host')}`;
  if (rows.length === 0) {
    const words = record.finished?.status === 'ok' ? 'nothing was found' : 'the checks did not come to their end';
    return `${paint('strong', `Checks of ${of}: ${words}`)}\n`;
  }
  const header = ['SEVERITY', 'HOST', 'CHECK', 'FOUND'];
  const cells = rows.map((row) => [
    row.ignored ? `${row.severity}, ignored` : row.severity,
    row.hosts.length === 0 ? 'all' : formatNames(row.hosts, 3),
    row.check,
    oneLine(row.actual ?? row.title),
  ]);
  const [top = '', ...lines] = formatTable([header, ...cells])
    .trimEnd()
    .split('\n');
  const painted = lines.map((line, index) => {
    const row = rows[index];
    return row === undefined ? line : paint(row.ignored ? 'dim' : tones[row.severity], line);
  });
  return [
    paint('strong', `Checks of ${of}: ${countFindings(rows)}`),
    '',
    paint('strong', top),
    ...painted,
    '',
    ...remedies(rows, paint),
  ]
    .map((line) => `${line}\n`)
    .join('');
}

/** Characters of evidence on a terminal, where a table stands above it; all of it is in the page and in the events. */
const evidenceWidth = 100;

/** Findings of one check that differ in their remedy keep each their own; what was read is shown of the first host of them. */
function remedies(rows: readonly FindingRow[], paint: Paint): string[] {
  const byText = new Map<string, string>();
  for (const row of rows) {
    const lines = [
      row.expected === undefined ? '' : `expected: ${stripControls(row.expected)}`,
      row.remedy === undefined ? '' : `do: ${stripControls(row.remedy)}`,
    ].filter((line) => line !== '');
    const key = `${row.check} ${lines.join('\n')}`;
    if (lines.length === 0 || byText.has(key)) continue;
    const text = `${paint('strong', row.check)}: ${stripControls(row.title)}`;
    byText.set(key, `${text}\n${indent([...firstEvidence(row), ...lines].join('\n'), '  ')}`);
  }
  return [...byText.values()];
}

/** What is merely told needs no proof. */
function firstEvidence({ severity, ignored, evidence }: FindingRow): string[] {
  const [first] = evidence;
  if (first === undefined || severity === 'info' || ignored) return [];
  const [text, [host]] = first;
  const line = oneLine(text);
  const short = line.length <= evidenceWidth ? line : `${line.slice(0, evidenceWidth - 1)}…`;
  return [`read${host === undefined ? '' : ` on ${host}`}: ${short}`];
}

/** What is left for the summary where the findings are shown as the result. */
export function withoutFindings(record: RunRecord): RunRecord {
  const shown = new Set(hostErrors(record).map(({ code, host }) => `${code} ${host ?? ''}`));
  const isLeft = (error: ErrorReport): boolean =>
    error.code !== 'PRECHECK_FAILED' && !shown.has(`${error.code} ${error.host ?? ''}`);
  return {
    ...record,
    findings: [],
    failures: record.failures.filter(({ error }) => isLeft(error)),
    finished: record.finished && { ...record.finished, errors: record.finished.errors.filter(isLeft) },
  };
}

function hostErrors(record: RunRecord): ErrorReport[] {
  return (record.finished?.errors ?? []).filter(({ host }) => host !== undefined && host !== '');
}

function toRow(error: ErrorReport): FindingRow {
  return {
    check: error.code,
    severity: 'error',
    title: 'The host could not be looked at',
    remedy: error.remedy,
    expected: undefined,
    actual: [error.message, ...error.details].join('; '),
    evidence: new Map(),
    ignored: false,
    hosts: error.host === undefined ? [] : [error.host],
  };
}

function oneLine(text: string): string {
  return stripControls(text).replaceAll(/\s+/g, ' ').trim();
}
