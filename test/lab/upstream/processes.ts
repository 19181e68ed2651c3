import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile, rm, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

/** A process that outlives the command that started it, told apart from later ones with the same number by its start. */
export interface RecordedProcess {
  readonly pid: number;
  /** Clock ticks after the machine's boot, as /proc has it. */
  readonly startTime: string;
  /** Boot the start is counted from. */
  readonly boot: string;
  readonly argv: readonly string[];
}

/** Starts a process in a session of its own with output appended to a file, and records it in a pid file. */
export async function startDetached(
  argv: readonly [string, ...string[]],
  pidFile: string,
  log: string,
): Promise<RecordedProcess> {
  const output = await open(log, 'a');
  try {
    const child = spawn(argv[0], argv.slice(1), { detached: true, cwd: '/', stdio: ['ignore', output.fd, output.fd] });
    await once(child, 'spawn');
    child.unref();
    const { pid = 0 } = child;
    const startTime = (await startTimeOf(pid)) ?? '';
    const recorded: RecordedProcess = { pid, startTime, boot: await bootId(), argv };
    await writeFile(pidFile, `${JSON.stringify(recorded)}\n`);
    return recorded;
  } finally {
    await output.close();
  }
}

/** Whether the recorded process, and not another one that got its number, still runs. */
export async function isRunning(recorded: RecordedProcess): Promise<boolean> {
  if (recorded.startTime === '' || recorded.boot !== (await bootId())) return false;
  return (await startTimeOf(recorded.pid)) === recorded.startTime;
}

/** The process of a pid file, if the file can be read. */
export async function readPidFile(pidFile: string): Promise<RecordedProcess | undefined> {
  try {
    return JSON.parse(await readFile(pidFile, 'utf8')) as RecordedProcess;
  } catch {
    return undefined;
  }
}

/**
 * Ends the process of a pid file: SIGTERM, and SIGKILL where it still runs 5 s later. A process that is not the recorded one is
 * left alone. The pid file goes away.
 */
export async function stopRecorded(pidFile: string): Promise<void> {
  const recorded = await readPidFile(pidFile);
  if (recorded) {
    for (const [signal, waitMs] of [
      ['SIGTERM', 5000],
      ['SIGKILL', 5000],
    ] as const) {
      if (!(await isRunning(recorded))) break;
      // A stopped process acts on SIGTERM only once it continues.
      kill(recorded.pid, signal);
      kill(recorded.pid, 'SIGCONT');
      await until(async () => !(await isRunning(recorded)), waitMs);
    }
  }
  await rm(pidFile, { force: true });
}

/** Waits until the condition holds, asking every 50 ms; false when it did not within `timeoutMs`. */
export async function until(condition: () => Promise<boolean>, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    if (await condition()) return true;
    if (performance.now() > deadline) return false;
    await sleep(50);
  }
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Start of a process in ticks; undefined for one that is gone or has ended and waits for its parent. */
async function startTimeOf(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // The name, second, may hold spaces and parentheses; state is the third field, start the twenty-second.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
}

async function bootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
}
