import type { RunEvent, Sink } from '../report/events.ts';
import { createJsonlSink } from '../report/jsonl.ts';
import { createPlainSink } from '../report/plain.ts';
import { createRunLog, type RunLog } from '../report/run-log.ts';
import { selectOutput } from '../report/select-sinks.ts';
import type { CliContext } from './context.ts';
import type { GlobalOptions } from './options.ts';

export interface RunSinks {
  /** In the order in which they take events; the log comes first, so that it is open before anything is shown. */
  readonly sinks: readonly Sink[];
  readonly runLog: RunLog;
}

/** The sinks of one run, as the options, the environment and the terminal ask for. */
export async function createRunSinks(context: CliContext, options: GlobalOptions, runId: string): Promise<RunSinks> {
  const { env, stdout, stderr, stderrStream } = context;
  const runLog = createRunLog({
    file: options.logFile,
    runId,
    env,
    now: () => new Date(context.now()),
    warn: (message) => stderr(`warning: ${message}\n`),
  });
  const { mode, color } = selectOutput({ ...options, stderrIsTty: stderrStream.isTTY, env });
  const output = { progress: stderr, result: stdout, color, logFile: () => runLog.path() };
  const activity = createActivity();
  context.setBusyHosts(activity.busyHosts);
  const shown = await createShown();
  return { sinks: [runLog, activity.sink, shown], runLog };

  async function createShown(): Promise<Sink> {
    if (mode === 'json') return createJsonlSink(stdout);
    if (mode === 'plain') return createPlainSink({ ...output, debug: options.debug });
    const { createTtySink } = await import('../report/tty.ts');
    return createTtySink({ ...output, stream: stderrStream, now: context.now });
  }
}

/** Knows which hosts are being worked on: those that entered a phase and have not left it. */
function createActivity(): { readonly sink: Sink; readonly busyHosts: () => readonly string[] } {
  const busy = new Map<string, number>();
  const add = (host: string, by: number): void => void busy.set(host, (busy.get(host) ?? 0) + by);
  return {
    busyHosts: () => [...busy].filter(([, count]) => count > 0).map(([host]) => host),
    sink: {
      handle(event: RunEvent) {
        if (event.type === 'host.started') add(event.host, 1);
        if (event.type === 'host.finished') add(event.host, -1);
      },
      close: () => Promise.resolve(),
    },
  };
}
