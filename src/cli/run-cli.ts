import { CommanderError } from 'commander';
import { exitCodes, type ExitCode } from '../errors.ts';
import { formatDefect, formatErrors, reportsOf } from '../report/format-error.ts';
import { createPaint } from '../report/format.ts';
import { selectOutput } from '../report/select-sinks.ts';
import { exitCodeOf } from './exit-code.ts';
import type { CliContext } from './context.ts';
import { createProgram } from './program.ts';

/**
 * Runs one command line (without the name of the program) and gives its exit code; every error is told on stderr.
 * A run that was interrupted and did not end well gives the code of the signal.
 */
export async function runCli(args: readonly string[], base: Omit<CliContext, 'finish'>): Promise<ExitCode> {
  let exitCode: ExitCode = exitCodes.ok;
  const context: CliContext = { ...base, finish: (code) => (exitCode = code) };
  try {
    await createProgram(context).parseAsync(args, { from: 'user' });
  } catch (error) {
    exitCode = reportThrown(error, args, context);
  }
  return base.signal.aborted && exitCode !== exitCodes.ok ? exitCodeOf(base.signal.reason) : exitCode;
}

function reportThrown(error: unknown, args: readonly string[], context: CliContext): ExitCode {
  // Commander has already written its text; its own exit code for wrong use is 1.
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  const { color } = selectOutput({
    output: 'auto',
    debug: false,
    color: !args.includes('--no-color'),
    stderrIsTty: context.stderrStream.isTTY,
    env: context.env,
  });
  const paint = createPaint(color);
  const reports = reportsOf(error);
  const text = reports.length > 0 ? formatErrors(reports, paint) : formatDefect(error, undefined, paint);
  context.stderr(`${text}\n`);
  return exitCodeOf(error);
}
