import type { Command } from 'commander';
import { randomBytes } from 'node:crypto';
import { createEmitter, type Emitter } from '../report/emitter.ts';
import type { Sink } from '../report/events.ts';
import { formatDefect, reportsOf, stackOf } from '../report/format-error.ts';
import { createPaint } from '../report/format.ts';
import { selectOutput } from '../report/select-sinks.ts';
import { exitCodeOf } from './exit-code.ts';
import { bundleOf } from './commands/bundle-options.ts';
import type { CliContext, RunOutcome } from './context.ts';
import { configFileOf, type GlobalOptions } from './options.ts';
import { createRunSinks } from './sinks.ts';

/**
 * Runs a workflow with its sinks and reports how it ended. An expected error that the workflow throws is for the
 * caller; a defect is reported here, where the log that its stack goes to is known.
 */
export async function runCommand(
  context: CliContext,
  options: GlobalOptions,
  run: (emitter: Emitter, runId: string) => Promise<RunOutcome>,
  moreSinks: readonly Sink[] = [],
): Promise<void> {
  const runId = randomBytes(4).toString('hex');
  const { sinks, runLog } = await createRunSinks(context, options, runId);
  const emitter = createEmitter([...sinks, ...moreSinks], context.now);
  const onAbort = (): void =>
    emitter.emit({
      type: 'log',
      level: 'info',
      message: 'Interrupted: waiting for what is running to end; press Ctrl-C again to leave at once.',
    });
  context.signal.addEventListener('abort', onAbort, { once: true });
  try {
    const outcome = await run(emitter, runId);
    await emitter.close();
    context.finish(outcome.exitCode);
  } catch (error) {
    // After an interrupt, whatever else was thrown is taken for its consequence.
    const cause: unknown = context.signal.aborted && !isExpected(error) ? context.signal.reason : error;
    if (isExpected(cause)) {
      await emitter.close();
      throw cause;
    }
    emitter.emit({ type: 'log', level: 'error', message: stackOf(cause) });
    await emitter.close();
    const { color } = selectOutput({ ...options, stderrIsTty: context.stderrStream.isTTY, env: context.env });
    context.stderr(`${formatDefect(cause, runLog.path(), createPaint(color))}\n`);
    context.finish(exitCodeOf(cause));
  } finally {
    context.signal.removeEventListener('abort', onAbort);
  }
}

/** What every run on the hosts of a cluster file is given. */
export interface ClusterRun {
  readonly configFile: string;
  readonly concurrency: number;
  readonly runId: string;
  readonly logFile?: string;
  /** Of a command with addBundleOption. */
  readonly bundle?: NonNullable<ReturnType<typeof bundleOf>>;
}

/**
 * Runs a workflow on the hosts of the cluster file that a command names (addConfigOption, sharedOptions.concurrency). `run`
 * gets what all of them take, and adds what is its own.
 */
export async function runOnHosts(
  context: CliContext,
  command: Command,
  run: (input: ClusterRun, emitter: Emitter, signal: AbortSignal) => Promise<RunOutcome>,
  moreSinks: readonly Sink[] = [],
): Promise<void> {
  const configFile = configFileOf(command);
  const options = command.optsWithGlobals<GlobalOptions & { readonly concurrency: number }>();
  const { concurrency, logFile } = options;
  const bundle = bundleOf(command);
  await runCommand(
    context,
    options,
    (emitter, runId) =>
      run(
        {
          configFile,
          concurrency,
          runId,
          ...(logFile === undefined ? {} : { logFile }),
          ...(bundle === undefined ? {} : { bundle }),
        },
        emitter,
        context.signal,
      ),
    moreSinks,
  );
}

function isExpected(error: unknown): boolean {
  return reportsOf(error).length > 0;
}
