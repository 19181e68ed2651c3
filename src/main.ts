import { writeSync } from 'node:fs';
import { workflows } from './cli/context.ts';
import { runCli } from './cli/run-cli.ts';
import { handleSignals } from './cli/signals.ts';
import { exitCodes } from './errors.ts';
import { formatDefect } from './report/format-error.ts';
import { createPaint } from './report/format.ts';

/** Leaves without waiting. The live display holds back writes to stderr, so the text goes to its descriptor. */
function leave(exitCode: number, text: string): void {
  try {
    writeSync(process.stderr.fd, text);
  } catch {
    // Nobody is there to read it.
  }
  process.exit(exitCode);
}

/** Text for a stream whose reader may be gone (`| head`): the run goes on, and its log has the rest. */
function writerTo(stream: NodeJS.WriteStream): (text: string) => void {
  let isOpen = true;
  stream.on('error', (error: NodeJS.ErrnoException) => {
    isOpen = false;
    if (error.code !== 'EPIPE') leave(exitCodes.internal, `Cannot write: ${error.message}\n`);
  });
  return (text) => {
    if (isOpen) stream.write(text);
  };
}

function reportDefect(error: unknown): void {
  leave(exitCodes.internal, `${formatDefect(error, undefined, createPaint(false))}\n`);
}

process.on('uncaughtException', reportDefect);
process.on('unhandledRejection', reportDefect);

const { signal, setBusyHosts } = handleSignals(process, leave);

void runCli(process.argv.slice(2), {
  workflows,
  env: process.env,
  stdout: writerTo(process.stdout),
  stderr: writerTo(process.stderr),
  columns: process.stdout.isTTY ? process.stdout.columns : undefined,
  stderrStream: process.stderr,
  now: Date.now,
  signal,
  setBusyHosts,
}).then((exitCode) => {
  process.exitCode = exitCode;
}, reportDefect);
