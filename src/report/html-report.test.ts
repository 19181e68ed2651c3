import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { record, runFinished, runStarted } from '../../test/support/run-events.ts';
import type { RunEventBody } from './events.ts';
import { openHtmlReport, type CheckSummary } from './html-report.ts';

const checks: CheckSummary[] = ['cpu', 'memory'].map((id) => ({
  id,
  scope: 'host',
  severity: 'error',
  title: `${id} is wrong`,
  expected: `enough ${id}`,
  remedy: 'add some',
  source: 'kubeadm',
  reads: ['nproc'],
}));

const finding: RunEventBody = {
  type: 'check.finding',
  check: 'cpu',
  severity: 'error',
  host: 'w1',
  title: '<b>"Too" few</b>',
  expected: "2 & 'more'",
  actual: '<script>alert(1)</script>\u001B[2J',
  evidence: 'nproc: <1>',
  remedy: 'add some',
  source: 'kubeadm',
  ignored: false,
};

async function pageOf(...bodies: readonly RunEventBody[]): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'html-'));
  try {
    const file = join(folder, 'report.html');
    const report = await openHtmlReport(file, checks);
    for (const event of record(...bodies.map((body) => [0, body] as const))) report.handle(event);
    await report.write();
    return readFileSync(file, 'utf8');
  } finally {
    rmSync(folder, { recursive: true });
  }
}

it('tells what was found and what was not', async () => {
  const page = await pageOf(runStarted(), finding, runFinished({ status: 'failed' }));

  expect(page).toMatch(/^<!doctype html>/);
  expect(page).toContain('<title>Checks of cluster prod</title>');
  expect(page).toContain('2030-01-02 03:04:05Z, installer 1.2.3, 3 hosts');
  expect(page).toContain('<p class="total">1 error</p>');
  expect(page).toContain('<tr><td>w1</td><td class="n">1</td><td class="n">0</td><td class="n">0</td></tr>');
  expect(page).toContain('<dt>Read</dt><dd>nproc: &lt;1&gt;</dd>');
  expect(page).toContain('<dt>Source</dt><dd>kubeadm</dd>');
  expect(page.match(/<article/g)).toHaveLength(1);
  expect(page).toContain('<li><b>memory</b>: enough memory</li>');
  expect(page).not.toContain('<b>cpu</b>');
});

it('shows what was read on each host', async () => {
  const page = await pageOf(
    runStarted(),
    finding,
    { ...finding, host: 'cp1' },
    { ...finding, host: 'w2', evidence: 'nproc: 2' },
    runFinished({ status: 'failed' }),
  );

  expect(page.match(/<article/g)).toHaveLength(1);
  expect(page).toContain('<dt>Read</dt><dd>w1, cp1: nproc: &lt;1&gt;<br>w2: nproc: 2</dd>');
});

it('takes nothing that a host says for markup', async () => {
  const page = await pageOf(runStarted({ cluster: '<i>' }), finding, runFinished());

  expect(page).toContain('&lt;script&gt;alert(1)&lt;/script&gt;</dd>');
  expect(page).toContain('&lt;b&gt;&quot;Too&quot; few&lt;/b&gt;');
  expect(page).toContain('2 &amp; &#39;more&#39;');
  expect(page).not.toMatch(/<script|<i>/);
  expect(page).not.toContain('\u001B');
});

it('needs nothing from elsewhere and fits a phone', async () => {
  const page = await pageOf(runStarted(), runFinished());

  expect(page).not.toMatch(/https?:|<link|src=|@import|url\(/);
  expect(page).toContain('<meta name="viewport" content="width=device-width, initial-scale=1">');
  expect(page).toContain('Nothing was found.');
});

it('is made for paper too', async () => {
  const page = await pageOf(runStarted(), finding, runFinished({ status: 'failed' }));
  const [, rules = ''] = /@media print\{((?:[^{}]*\{[^{}]*\})*)\}/.exec(page) ?? [];

  // Dark on light whatever the screen has, the whole width, no row or heading torn apart, nothing half transparent.
  expect(rules).toContain(':root{color-scheme:light}');
  expect(rules).toMatch(/body\{[^}]*max-width:none/);
  expect(rules).toContain('tr{break-inside:avoid}');
  expect(rules).toContain('h2{break-after:avoid}');
  expect(rules).toContain('article.ignored{opacity:1}');
  // What is folded or hidden would be missing on paper.
  expect(page).not.toMatch(/<details|display:none|overflow:(hidden|auto|scroll)/);
});

it('says so where the checks were not made', async () => {
  const page = await pageOf(runStarted(), runFinished({ status: 'failed' }));

  expect(page).toContain('The checks did not come to their end.');
  expect(page).not.toContain('Checks without a finding');
});

it('refuses a file in a folder that is not there, before the run', async () => {
  await expect(openHtmlReport('/nowhere/report.html', checks)).rejects.toMatchObject({
    code: 'REPORT_UNWRITABLE',
    exitCode: 2,
  });
});
