import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { record, runStarted } from '../../test/support/run-events.ts';
import { createRunLog, type RunLog } from './run-log.ts';

let folder: string;
let warnings: string[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'run-log-'));
  warnings = [];
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

function openLog(file?: string): RunLog {
  return createRunLog({
    file,
    runId: '0a1b2c3d',
    env: { XDG_STATE_HOME: folder },
    now: () => new Date('2030-01-02T03:04:05.678Z'),
    warn: (message) => warnings.push(message),
  });
}

const early = record([0, { type: 'log', level: 'info', message: 'reading the file' }]);
const started = record([1, runStarted()]);

describe('the run log', () => {
  it('holds every event, those before the start too, in a file that only its owner can read', async () => {
    const log = openLog();
    for (const event of [...early, ...started]) log.handle(event);
    await log.close();

    const path = join(folder, 'installer/logs/prod-20300102T030405Z-0a1b2c3d.jsonl');
    const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([...early, ...started]);
    expect(log.path()).toBe(path);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(join(folder, 'installer/logs')).mode & 0o777).toBe(0o700);
  });

  it('is whole at every moment, for a process may be killed', () => {
    const log = openLog();
    for (const event of started) log.handle(event);

    expect(readFileSync(log.path() ?? '', 'utf8')).toBe(`${JSON.stringify(started[0])}\n`);
  });

  it('goes to the file that was asked for', async () => {
    const log = openLog(join(folder, 'mine', 'log.jsonl'));
    for (const event of started) log.handle(event);
    await log.close();

    expect(log.path()).toBe(join(folder, 'mine', 'log.jsonl'));
  });

  it('leaves no file where no run was started', async () => {
    const log = openLog();
    for (const event of early) log.handle(event);
    await log.close();

    expect(readdirSync(folder)).toEqual([]);
    expect(log.path()).toBeUndefined();
  });

  it('keeps an error from before the start', async () => {
    const log = openLog();
    for (const event of record([0, { type: 'log', level: 'error', message: 'stack' }])) log.handle(event);
    await log.close();

    expect(existsSync(log.path() ?? '')).toBe(true);
  });

  it('warns once and goes on where it cannot be written', async () => {
    writeFileSync(join(folder, 'installer'), 'a file where the folder should be');
    const log = openLog();
    for (const event of [...started, ...started]) log.handle(event);
    await log.close();

    expect(warnings).toEqual([expect.stringContaining('No run log: cannot write')]);
    expect(log.path()).toBeUndefined();
  });
});
