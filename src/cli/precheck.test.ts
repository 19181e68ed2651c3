import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runTestCli } from '../../test/support/cli.ts';
import { runFinished, runStarted } from '../../test/support/run-events.ts';
import type { CheckSummary } from '../report/html-report.ts';
import { workflows, type DiffOptions, type PrecheckOptions, type Workflows } from './context.ts';

const done = Promise.resolve({ exitCode: 0 } as const);
const runId: unknown = expect.stringMatching(/^[0-9a-f]{8}$/);
const check: CheckSummary = {
  id: 'cpu',
  scope: 'host',
  severity: 'error',
  title: 'Too few CPU cores',
  expected: '2',
  remedy: 'add some',
  source: 'kubeadm',
  reads: ['nproc'],
};
const listChecks = (): Promise<CheckSummary[]> => Promise.resolve([check]);

/** A precheck that finds one core. */
const precheck: Workflows['precheck'] = (_options, emitter) => {
  emitter.emit(runStarted({ workflow: 'precheck', hosts: ['w1'] }));
  emitter.emit({
    type: 'check.finding',
    check: 'cpu',
    severity: 'error',
    host: 'w1',
    title: check.title,
    expected: check.expected,
    actual: '1 core',
    evidence: 'nproc: 1',
    remedy: check.remedy,
    ignored: false,
  });
  const errors = [{ code: 'PRECHECK_FAILED', message: '1 check failed', details: ['w1: cpu'] }];
  emitter.emit(runFinished({ status: 'failed', errors }));
  return Promise.resolve({ exitCode: 3 });
};

describe('precheck', () => {
  it('has defaults', async () => {
    let seen: PrecheckOptions | undefined;
    await runTestCli(['precheck', '-c', 'f.yaml'], { precheck: (options) => ((seen = options), done) });

    expect(seen).toEqual({ configFile: 'f.yaml', concurrency: 100, ignoreChecks: [], strict: false, runId });
  });

  it('takes options', async () => {
    let seen: PrecheckOptions | undefined;
    await runTestCli(['precheck', '-c', 'f', '--strict', '--ignore-check', 'a,b', '--concurrency', '7'], {
      precheck: (options) => ((seen = options), done),
    });

    expect(seen).toMatchObject({ strict: true, ignoreChecks: ['a', 'b'], concurrency: 7 });
  });

  it('has its findings as the result, once', async () => {
    const { exitCode, stdout, stderr } = await runTestCli(['precheck', '-c', 'f'], { precheck });

    expect(exitCode).toBe(3);
    expect(stdout).toContain('error     w1    cpu    1 core\n');
    expect(stderr).toContain('precheck prod: failed');
    expect(stderr).not.toContain('1 core');
  });

  it('has them as events for programs', async () => {
    const { stdout } = await runTestCli(['precheck', '-c', 'f', '--output', 'json'], { precheck });
    const events = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { type: string });

    expect(events.map(({ type }) => type)).toEqual(['run.started', 'check.finding', 'run.finished']);
    expect(events[1]).toMatchObject({ evidence: 'nproc: 1' });
  });

  it('writes them as a page too', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'precheck-'));
    const file = join(folder, 'report.html');
    const { exitCode } = await runTestCli(['precheck', '-c', 'f', '--html', file], { precheck, listChecks });
    const page = readFileSync(file, 'utf8');
    rmSync(folder, { recursive: true });

    expect(exitCode).toBe(3);
    expect(page).toContain('<dd>1 core</dd>');
    expect(page).toContain('<dd>nproc: 1</dd>');
  });

  it('touches no host where the page cannot be written', async () => {
    const { exitCode, stderr } = await runTestCli(['precheck', '-c', 'f', '--html', '/nowhere/r.html'], { listChecks });

    expect(exitCode).toBe(2);
    expect(stderr).toContain('REPORT_UNWRITABLE');
  });

  it('lists the checks without a cluster file', async () => {
    const { exitCode, stdout } = await runTestCli(['precheck', '--list'], { listChecks });

    expect(exitCode).toBe(0);
    expect(stdout).toBe('ID   SCOPE  SEVERITY  TITLE\ncpu  host   error     Too few CPU cores\n');
  });

  it('lists the real checks within the width of a terminal', async () => {
    const { stdout } = await runTestCli(
      ['precheck', '--list'],
      { listChecks: () => workflows.listChecks() },
      { columns: 80 },
    );

    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
    expect(stdout).toContain('\nclock-in-sync');
  });

  it('lists the real checks, a line each, for programs', async () => {
    const { stdout } = await runTestCli(['precheck', '--list', '--output', 'json'], {
      listChecks: () => workflows.listChecks(),
    });
    const lines = stdout.trimEnd().split('\n');

    expect(lines.length).toBeGreaterThan(30);
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      id: 'privilege-escalation',
      source: expect.any(String) as string,
      reads: ['id -u'],
    });
  });

  it('wants a cluster file otherwise', async () => {
    const { exitCode, stderr } = await runTestCli(['precheck']);

    expect(exitCode).toBe(2);
    expect(stderr).toContain("required option '-c, --config <file>'");
  });
});

describe('diff', () => {
  it('takes options and gives the exit code of what differs', async () => {
    let seen: DiffOptions | undefined;
    const { exitCode } = await runTestCli(['diff', '-c', 'f', '--verify-content', '--ignore-check', 'a'], {
      diff: (options) => ((seen = options), Promise.resolve({ exitCode: 6 })),
    });

    expect(exitCode).toBe(6);
    expect(seen).toEqual({ configFile: 'f', concurrency: 100, verifyContent: true, ignoreChecks: ['a'], runId });
  });

  it('shows the plan as what differs', async () => {
    const { stdout } = await runTestCli(['diff', '-c', 'f'], {
      diff: (_options, emitter) => {
        emitter.emit(runStarted({ workflow: 'diff', dryRun: true }));
        const changes = [{ summary: 'write /etc/x', diff: '-a\n+b\n' }];
        emitter.emit({ type: 'step.planned', phase: 'prepare-hosts', host: 'w1', step: 'x', changes });
        emitter.emit(runFinished());
        return Promise.resolve({ exitCode: 6 });
      },
    });

    expect(stdout).toMatch(/^What differs in cluster prod from its file/);
    expect(stdout).toContain('  w1\n    x: write /etc/x\n        -a\n        +b\n');
  });
});
