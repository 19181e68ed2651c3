import { constants } from 'node:fs';
import { access, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { exitCodes, InstallerError, messageOf } from '../errors.ts';
import type { RunEvent, Severity, Sink } from './events.ts';
import { countOf, stripControls } from './format.ts';
import { countFindings, findingRows, type FindingRow } from './format-findings.ts';
import { createRecorder, type RunRecord } from './record.ts';

/** A check as it is listed; the findings name it by its id. */
export interface CheckSummary {
  readonly id: string;
  readonly scope: 'host' | 'cluster';
  readonly severity: Severity;
  readonly title: string;
  readonly expected: string;
  readonly remedy: string;
  readonly source: string;
  /** Files and commands that are looked at. */
  readonly reads: readonly string[];
}

/** A sink that keeps what the page shows, until it is written. */
export interface HtmlReport extends Sink {
  write(): Promise<void>;
}

/** Rejects with an InstallerError where the file's folder is not there: better before the run than after it. */
export async function openHtmlReport(file: string, checks: readonly CheckSummary[]): Promise<HtmlReport> {
  const failed = (error: unknown): InstallerError =>
    new InstallerError({
      code: 'REPORT_UNWRITABLE',
      message: `cannot write the report to ${file}: ${messageOf(error)}`,
      remedy: 'give --html a file in a folder that is there and that you may write to',
      exitCode: exitCodes.usage,
    });
  await access(dirname(resolve(file)), constants.W_OK).catch((error: unknown) => {
    throw failed(error);
  });
  const recorder = createRecorder();
  let time = '';
  return {
    handle(event: RunEvent) {
      recorder.add(event);
      if (event.type === 'run.started') ({ time } = event);
    },
    close: () => Promise.resolve(),
    write: () =>
      writeFile(file, renderHtml(recorder.record(), checks, time)).catch((error: unknown) => {
        throw failed(error);
      }),
  };
}

/** One page without anything from elsewhere: styles inside, no script, no link. `time` is that of the run, RFC 3339. */
export function renderHtml(record: RunRecord, checks: readonly CheckSummary[], time: string): string {
  const rows = findingRows(record);
  const cluster = record.started?.cluster ?? '';
  const hosts = record.started?.hosts ?? [];
  const found = new Set(rows.map(({ check }) => check));
  const isWhole = record.findings.length > 0 || record.finished?.status === 'ok';
  const passed = isWhole ? checks.filter(({ id }) => !found.has(id)) : [];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escapeHtml(`Checks of cluster ${cluster}`)}</title>
<style>${styles}</style>
</head>
<body>
<h1>${escapeHtml(`Checks of cluster ${cluster}`)}</h1>
<p>${escapeHtml(`${time.replace('T', ' ').replace(/\.\d+Z$/, 'Z')}, installer ${record.started?.version ?? ''}, ${countOf(hosts.length, 'host')}`)}</p>
<p class="total">${escapeHtml(rows.length === 0 ? (isWhole ? 'Nothing was found.' : 'The checks did not come to their end.') : countFindings(rows))}</p>
${hostTable(hosts, rows)}
${rows.map(renderFinding).join('\n')}
${passed.length === 0 ? '' : `<h2>Checks without a finding</h2>\n<ul class="passed">\n${passed.map(({ id, expected }) => `<li><b>${escapeHtml(id)}</b>: ${escapeHtml(expected)}</li>`).join('\n')}\n</ul>`}
</body>
</html>
`;
}

const styles = `
:root{color-scheme:light dark;--line:#8886;--error:#c62828;--warning:#a15c00;--info:#33691e}
@media(prefers-color-scheme:dark){:root{--error:#ff8a80;--warning:#ffb74d;--info:#aed581}}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:1rem;overflow-wrap:anywhere}
h1{font-size:1.5rem;margin:.5rem 0}h2{font-size:1.2rem;margin:2rem 0 .5rem}
.total{font-weight:700}
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.25rem .75rem .25rem 0;border-bottom:1px solid var(--line)}
td.n,th.n{text-align:right;white-space:nowrap}
.passed{padding-left:1.2rem}
article{border:1px solid var(--line);border-left:.4rem solid var(--line);border-radius:.3rem;padding:.5rem 1rem;margin:1rem 0;break-inside:avoid}
article h2{font-size:1rem;margin:0}
article.error{border-left-color:var(--error)}article.warning{border-left-color:var(--warning)}article.info{border-left-color:var(--info)}
article.ignored{opacity:.7}
.error .severity{color:var(--error)}.warning .severity{color:var(--warning)}.info .severity{color:var(--info)}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1rem;margin:.5rem 0 0}dt{font-weight:600}dd{margin:0}
@media(max-width:30rem){dl{display:block}dd{margin:0 0 .5rem}table{font-size:.85rem}td.n,th.n{padding:.25rem 0 .25rem .6rem}article{padding:.5rem .75rem}}
@media print{:root{color-scheme:light}body{font-size:10pt;max-width:none;padding:0}article.ignored{opacity:1}h2{break-after:avoid}tr{break-inside:avoid}}
`;

/** A row for each host with a finding; the others are named together. */
function hostTable(hosts: readonly string[], rows: readonly FindingRow[]): string {
  const named = new Set(rows.flatMap((row) => row.hosts));
  const good = hosts.filter((host) => !named.has(host));
  const count = (host: string, severity: Severity): number =>
    rows.filter((row) => row.severity === severity && !row.ignored && row.hosts.includes(host)).length;
  const lines = hosts
    .filter((host) => named.has(host))
    .map((host) => {
      const cells = (['error', 'warning', 'info'] as const).map(
        (severity) => `<td class="n">${count(host, severity)}</td>`,
      );
      return `<tr><td>${escapeHtml(host)}</td>${cells.join('')}</tr>`;
    });
  const others = good.length === 0 ? '' : `<p>${escapeHtml(`Without a finding: ${good.join(', ')}`)}</p>`;
  if (lines.length === 0) return others;
  return `<table>
<thead><tr><th>Host</th><th class="n">Errors</th><th class="n">Warnings</th><th class="n">Infos</th></tr></thead>
<tbody>
${lines.join('\n')}
</tbody>
</table>
${others}`;
}

function renderFinding(row: FindingRow): string {
  const facts: [string, string | undefined][] = [
    ['Hosts', row.hosts.length === 0 ? 'all' : row.hosts.join(', ')],
    ['Found', row.actual],
    ['Read', evidenceOf(row)],
    ['Expected', row.expected],
    ['To do', row.remedy],
    ['Source', row.source],
  ];
  const list = facts.flatMap(([name, text]) =>
    text === undefined ? [] : [`<dt>${name}</dt><dd>${escapeHtml(text).replaceAll('\n', '<br>')}</dd>`],
  );
  const word = row.ignored ? `${row.severity}, ignored` : row.severity;
  return `<article class="${row.severity}${row.ignored ? ' ignored' : ''}">
<h2><span class="severity">${word}</span> ${escapeHtml(row.check)}: ${escapeHtml(row.title)}</h2>
<dl>
${list.join('\n')}
</dl>
</article>`;
}

/** A line for each thing that was read, with the hosts where several differ. */
function evidenceOf({ evidence }: FindingRow): string | undefined {
  if (evidence.size === 0) return undefined;
  const lines = [...evidence].map(([text, hosts]) =>
    evidence.size === 1 || hosts.length === 0 ? text : `${hosts.join(', ')}: ${text}`,
  );
  return lines.join('\n');
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Hosts decide what stands here: nothing of it becomes markup. */
function escapeHtml(text: string): string {
  return stripControls(text).replaceAll(/[&<>"']/g, (character) => entities[character] ?? '');
}
