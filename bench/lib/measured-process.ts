import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';

export interface MeasuredRun {
  readonly exitCode: number | null;
  readonly durationMs: number;
  /** Largest resident size of the process itself (VmHWM), in MB of 1,000,000 bytes. */
  readonly peakMemoryMb: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Each line of stdout, with the milliseconds from the start to its arrival. */
  readonly lines: readonly { readonly atMs: number; readonly text: string }[];
}

/** Runs a command to its end and follows its peak memory. */
export function runMeasured(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Promise<MeasuredRun> {
  return new Promise((resolve, reject) => {
    const startedAt = performance.now();
    const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let peakKib = 0;
    let stdout = '';
    let stderr = '';
    let rest = '';
    const lines: { atMs: number; text: string }[] = [];
    const timer = setInterval(() => {
      peakKib = Math.max(peakKib, peakOf(child.pid));
    }, 20);
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
      const parts = `${rest}${text}`.split('\n');
      rest = parts.pop() ?? '';
      const atMs = performance.now() - startedAt;
      lines.push(...parts.map((part) => ({ atMs, text: part })));
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.on('error', reject);
    child.on('close', (exitCode) => {
      clearInterval(timer);
      resolve({
        exitCode,
        durationMs: performance.now() - startedAt,
        peakMemoryMb: (peakKib * 1024) / 1e6,
        stdout,
        stderr,
        lines,
      });
    });
  });
}

function peakOf(pid: number | undefined): number {
  try {
    return Number(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}
