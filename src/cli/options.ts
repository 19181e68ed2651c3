import { InvalidArgumentError, Option, type Command } from 'commander';
import { exitCodes } from '../errors.ts';
import { outputModes, type OutputMode } from '../report/select-sinks.ts';

/** Options that every command takes, before or after its name. */
export interface GlobalOptions {
  readonly output: OutputMode;
  readonly logFile?: string;
  readonly color: boolean;
  readonly debug: boolean;
}

interface ConfigFileOptions {
  readonly config?: string;
  readonly clusterConfig?: string;
}

export function addGlobalOptions(program: Command): void {
  program
    .addOption(new Option('--output <mode>', 'how progress is shown').choices(outputModes).default('auto'))
    .option('--log-file <file>', 'write the run log to this file, not to the state folder')
    .option('--no-color', 'no colours; NO_COLOR in the environment does the same')
    .option('--debug', 'show every command that is sent to a host', false);
}

/** -c FILE, which the command cannot do without; `--clusterConfig FILE` is understood too. */
export function addConfigOption(command: Command): void {
  command
    .option('-c, --config <file>', 'cluster file (required)')
    .addOption(new Option('--clusterConfig <file>').hideHelp());
}

/** Options that several commands take, each with one meaning; a new object for each command. */
export const sharedOptions = {
  concurrency: () =>
    new Option('--concurrency <n>', 'most hosts to work on at the same time').argParser(parseCount).default(100),
  verifyContent: () =>
    new Option('--verify-content', 'compare the content of large files too, not their size and date alone').default(
      false,
    ),
  ignoreCheck: () =>
    new Option('--ignore-check <id...>', 'report the findings of a check and go on; may be repeated')
      .argParser(collect)
      .default([]),
} as const;

/** The cluster file of a command made with addConfigOption; ends with a usage error where none was given. */
export function configFileOf(command: Command): string {
  const { config, clusterConfig } = command.opts<ConfigFileOptions>();
  const file = config ?? clusterConfig;
  if (file !== undefined) return file;
  return command.error("error: required option '-c, --config <file>' not specified", {
    code: 'commander.missingMandatoryOptionValue',
    exitCode: exitCodes.usage,
  });
}

/** A number of hosts on the command line. */
export function parseCount(value: string): number {
  const count = Number(value);
  if (!/^\d+$/.test(value) || count < 1 || count > 10_000) {
    throw new InvalidArgumentError('It must be a whole number from 1 to 10000.');
  }
  return count;
}

/** For options that may be repeated or hold a list: `--skip-phase a --skip-phase b,c`. */
export function collect(value: string, previous: readonly string[]): readonly string[] {
  const items = value.split(',').map((item) => item.trim());
  if (items.includes('')) throw new InvalidArgumentError('An id is empty.');
  return [...previous, ...items];
}

/** Text for the end of a command's --help. */
export function examples(lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  $ ${line}`).join('\n')}\n`;
}
