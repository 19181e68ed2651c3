import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { messageOf } from '../errors.ts';
import type { RunEvent, Sink } from './events.ts';

export interface RunLogOptions {
  /** --log-file; without it the file is named after cluster, time and run, in the state folder. */
  readonly file: string | undefined;
  readonly runId: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly now: () => Date;
  /** Told once when the log cannot be written; the run goes on without it. */
  readonly warn: (message: string) => void;
}

export interface RunLog extends Sink {
  /** Where the log is; undefined before the run has started, or when it cannot be written. */
  path(): string | undefined;
}

/**
 * Every event as a line of JSON in a file that only its owner can read. Events from before `run.started`, which names
 * the cluster, are held back; a run that ends before it leaves a file only when an error was logged. Lines are written
 * as they come, so that a killed process leaves a whole log.
 */
export function createRunLog(options: RunLogOptions): RunLog {
  let held: RunEvent[] | undefined = [];
  let target: { path: string; fd: number } | undefined;
  let path: string | undefined;

  function open(cluster: string): void {
    const file = options.file === undefined ? defaultPath(options, cluster) : resolve(options.file);
    try {
      // A folder that is there keeps its mode: with --log-file it need not be ours.
      mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
      target = { path: file, fd: openSync(file, 'a', 0o600) };
      path = file;
    } catch (error) {
      options.warn(`No run log: cannot write ${file}: ${messageOf(error)}`);
    }
    const events = held ?? [];
    held = undefined;
    for (const event of events) write(event);
  }

  function write(event: RunEvent): void {
    if (target === undefined) return;
    try {
      writeSync(target.fd, `${JSON.stringify(event)}\n`);
    } catch (error) {
      options.warn(`The run log ends here: cannot write ${target.path}: ${messageOf(error)}`);
      closeSync(target.fd);
      target = undefined;
    }
  }

  return {
    path: () => path,
    handle(event) {
      if (held === undefined) {
        write(event);
        return;
      }
      held.push(event);
      if (event.type === 'run.started') open(event.cluster);
      else if (event.type === 'log' && event.level === 'error') open('no-cluster');
    },
    close() {
      if (target !== undefined) closeSync(target.fd);
      target = undefined;
      held = undefined;
      return Promise.resolve();
    },
  };
}

function defaultPath({ env, now, runId }: RunLogOptions, cluster: string): string {
  const given = env['XDG_STATE_HOME'];
  // A relative value is to be ignored (XDG Base Directory Specification).
  const state = given?.startsWith('/') === true ? given : join(env['HOME'] ?? homedir(), '.local', 'state');
  const time = now()
    .toISOString()
    .replace(/\.\d+Z$/, 'Z')
    .replaceAll(/[-:]/g, '');
  return join(state, 'installer', 'logs', `${cluster.replaceAll(/[^\w.-]/g, '_')}-${time}-${runId}.jsonl`);
}
