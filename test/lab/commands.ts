import { execa } from 'execa';

/** How a command ended; `exitCode` is 255 where it was ended by a signal or ran past its time. */
export interface CommandResult {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

export interface CommandOptions {
  /** What the command reads; nothing when absent. */
  readonly input?: string;
  readonly timeoutMs?: number;
  /** Folder it runs in; this process's own when absent. */
  readonly cwd?: string;
}

/** Writes one line of progress. */
export type Log = (line: string) => void;

/**
 * Runs a command of this machine and returns how it ended, whatever that is; throws only where it cannot be started. It does
 * not outlive this process: a copy that went on after a kill would fight with the next run.
 */
export async function tryRun(
  file: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  const result = await execa('setpriv', ['--pdeathsig', 'KILL', '--', file, ...args], {
    reject: false,
    stripFinalNewline: false,
    maxBuffer: 256 * 1024 * 1024,
    ...(options.input === undefined ? { stdin: 'ignore' as const } : { input: options.input }),
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.timeoutMs === undefined ? {} : { timeout: options.timeoutMs, forceKillAfterDelay: 1000 }),
  });
  if (result.exitCode === undefined && !result.isTerminated && !result.timedOut) {
    throw new Error(`setpriv cannot be started: ${result.shortMessage}`);
  }
  return { stdout: result.stdout, stderr: result.stderr, exitCode: result.exitCode ?? 255 };
}

/** Runs a command of this machine and returns its standard output; throws with its error output unless it ends with 0. */
export async function run(file: string, args: readonly string[], options: CommandOptions = {}): Promise<string> {
  const result = await tryRun(file, args, options);
  if (result.exitCode !== 0) {
    const said = (result.stderr.trim() || result.stdout.trim()).split('\n').slice(-8).join('\n');
    throw new Error(`${file} ${args.join(' ')} ended with ${result.exitCode}: ${said}`);
  }
  return result.stdout;
}
