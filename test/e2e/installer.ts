import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import type { RunEvent } from '../../src/report/events.ts';
import { run } from '../lab/commands.ts';
import { waitUntil } from '../lab/waiting.ts';

type EventOf<Type extends RunEvent['type']> = Extract<RunEvent, { readonly type: Type }>;

/** How a run of the installer ended, with every event it told. */
export interface InstallerResult {
  readonly exitCode: number | undefined;
  /** Where a signal ended it. */
  readonly signal: NodeJS.Signals | undefined;
  readonly durationMs: number;
  /** Largest resident size, in MB of 1,000,000 bytes; of a run of less than a moment, 0. */
  readonly peakMemoryMb: number;
  readonly events: readonly RunEvent[];
  readonly stdout: string;
  readonly stderr: string;
  /** Absent where it did not come to its own end. */
  readonly finished: EventOf<'run.finished'> | undefined;
  of<Type extends RunEvent['type']>(type: Type): EventOf<Type>[];
}

/** A run that goes on; only this process is ever signalled. */
export interface RunningInstaller {
  readonly events: readonly RunEvent[];
  readonly done: Promise<InstallerResult>;
  /** Waits for an event; throws where the run ends before it comes. */
  seen(what: string, isIt: (event: RunEvent) => boolean, timeoutMs?: number): Promise<void>;
  kill(signal: NodeJS.Signals): void;
}

const checkout = resolve(import.meta.dirname, '../..');
const builtBinary = join(checkout, 'dist/installer');

/** INSTALLER_BINARY, else dist/installer; made first where it is missing or older than what it is made of. */
export async function installerBinary(): Promise<string> {
  const given = process.env.INSTALLER_BINARY;
  if (given !== undefined && given !== '') return resolve(given);
  const sources = ['src', 'templates', 'manifests', 'scripts', 'package-lock.json'].map((name) => join(checkout, name));
  const newest = Math.max(...sources.map(newestMs));
  if (!existsSync(builtBinary) || statSync(builtBinary).mtimeMs < newest) {
    await run(process.execPath, [join(checkout, 'scripts/package.ts')], { timeoutMs: 180_000 });
  }
  return builtBinary;
}

function newestMs(path: string): number {
  if (!statSync(path).isDirectory()) return path.endsWith('.test.ts') ? 0 : statSync(path).mtimeMs;
  return Math.max(0, ...readdirSync(path).map((name) => newestMs(join(path, name))));
}

/** Starts the installer with its events on stdout. Its environment is that of a user who has set nothing. */
export function startInstaller(
  binary: string,
  args: readonly string[],
  options: { readonly stateDir: string; readonly output?: 'json' | 'plain' },
): RunningInstaller {
  const argv = [binary, ...args, '--output', options.output ?? 'json'];
  const startedAt = performance.now();
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...argv], {
    cwd: '/',
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH, HOME: process.env.HOME, XDG_STATE_HOME: options.stateDir },
  });
  const events: RunEvent[] = [];
  const text = { stdout: '', stderr: '' };
  const isEnded = { value: false };
  createInterface({ input: child.stdout }).on('line', (line) => {
    text.stdout += `${line}\n`;
    if (line.startsWith('{')) events.push(JSON.parse(line) as RunEvent);
  });
  child.stderr.setEncoding('utf8').on('data', (data: string) => (text.stderr += data));
  const done = collect(child, events, text, startedAt).finally(() => (isEnded.value = true));
  return {
    events,
    done,
    kill: (signal) => void child.kill(signal),
    async seen(what, isIt, timeoutMs = 180_000) {
      await waitUntil(
        `the installer to tell of ${what}`,
        timeoutMs,
        () => {
          if (events.some(isIt)) return true;
          if (isEnded.value) throw new Error(`the installer ended before it told of ${what}:\n${text.stderr}`);
          return false;
        },
        20,
      );
    },
  };
}

async function collect(
  child: ChildProcess,
  events: readonly RunEvent[],
  text: { readonly stdout: string; readonly stderr: string },
  startedAt: number,
): Promise<InstallerResult> {
  let peakMemoryMb = 0;
  const timer = setInterval(() => (peakMemoryMb = Math.max(peakMemoryMb, peakOf(child.pid))), 50);
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  clearInterval(timer);
  const of = <Type extends RunEvent['type']>(type: Type): EventOf<Type>[] =>
    events.filter((event): event is EventOf<Type> => event.type === type);
  return {
    exitCode: code ?? undefined,
    signal: signal ?? undefined,
    durationMs: performance.now() - startedAt,
    peakMemoryMb,
    events,
    stdout: text.stdout,
    stderr: text.stderr,
    finished: of('run.finished').at(-1),
    of,
  };
}

/** What the kernel counted so far; 0 where the process has ended. */
function peakOf(pid: number | undefined): number {
  try {
    const [, kib] = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    return (Number(kib ?? 0) * 1024) / 1e6;
  } catch {
    return 0;
  }
}
