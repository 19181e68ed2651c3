import { readFileSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { waitUntil } from './waiting.ts';

/** A process that stays the same one: pids are used again, a pid with its start time is not. */
export interface ProcessRef {
  readonly pid: number;
  /** Clock ticks since the machine started, from /proc/PID/stat. */
  readonly startTime: number;
}

/** Start time of a process that runs; undefined where there is none, or only a zombie. */
export function startTimeOf(pid: number): number | undefined {
  try {
    return parseStartTime(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return undefined;
  }
}

/** Field 22 of /proc/PID/stat; undefined for a zombie. The second field is free text and may hold spaces and brackets. */
export function parseStartTime(stat: string): number | undefined {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state, startTime] = [fields[0], Number(fields[19])];
  return state === 'Z' || state === 'X' || !Number.isFinite(startTime) ? undefined : startTime;
}

export function isAlive(ref: ProcessRef): boolean {
  return startTimeOf(ref.pid) === ref.startTime;
}

/** Signals just this process, not one that got its number since. */
export function signalProcess(ref: ProcessRef, signal: NodeJS.Signals): void {
  if (isAlive(ref)) signalPid(ref.pid, signal);
}

/** Signals a pid that was just read from a cgroup; one that ended meanwhile is no error. */
export function signalPid(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Remembers a process that was just started, so that a later run finds it. */
export async function recordProcess(file: string, pid: number): Promise<ProcessRef> {
  const startTime = startTimeOf(pid);
  if (startTime === undefined) throw new Error(`process ${pid} ended at once (${file})`);
  await writeFile(file, JSON.stringify({ pid, startTime }));
  return { pid, startTime };
}

/** The process that `recordProcess` remembered, as long as it lives. */
export async function findProcess(file: string): Promise<ProcessRef | undefined> {
  const text = await readFile(file, 'utf8').catch(() => '');
  try {
    const { pid, startTime } = JSON.parse(text) as Partial<ProcessRef>;
    if (typeof pid !== 'number' || typeof startTime !== 'number') return undefined;
    return isAlive({ pid, startTime }) ? { pid, startTime } : undefined;
  } catch {
    // Cut short by a kill, or never written.
    return undefined;
  }
}

/** Kills the process that was remembered, waits for its end and forgets it. */
export async function endProcess(file: string): Promise<void> {
  const ref = await findProcess(file);
  if (ref) {
    signalProcess(ref, 'SIGKILL');
    await waitUntil(`the end of process ${ref.pid}`, 5000, () => !isAlive(ref), 10);
  }
  await rm(file, { force: true });
}
