import type { Command } from 'commander';
import type { CliContext } from '../context.ts';
import { addConfigOption, collect, configFileOf, examples, parseCount, type GlobalOptions } from '../options.ts';
import { runCommand } from '../run-command.ts';

interface Options extends GlobalOptions {
  readonly dryRun: boolean;
  readonly concurrency: number;
  readonly ignoreCheck: readonly string[];
}

export function addPrepare(program: Command, context: CliContext): void {
  const command = program
    .command('prepare')
    .summary('bring the hosts to what a cluster needs')
    .description(
      'Sets kernel modules and parameters, swap, names and whatever spec.hostSettings asks for, as cluster-create does first of all. What was there before is recorded on each host; restore-host and reset put it back.',
    );
  addConfigOption(command);
  command
    .option('--dry-run', 'show what would be changed on which host, and change nothing', false)
    .option('--concurrency <n>', 'most hosts to work on at the same time', parseCount, 100)
    .option('--ignore-check <id...>', 'report the findings of a check and go on; may be repeated', collect, [])
    .addHelpText(
      'after',
      examples(['installer prepare -c clusterConfig.yaml --dry-run', 'installer prepare -c clusterConfig.yaml']),
    )
    .action(async () => {
      const configFile = configFileOf(command);
      const options = command.optsWithGlobals<Options>();
      await runCommand(context, options, (emitter, runId) =>
        context.workflows.prepare(
          {
            configFile,
            dryRun: options.dryRun,
            concurrency: options.concurrency,
            ignoreChecks: options.ignoreCheck,
            runId,
            ...(options.logFile === undefined ? {} : { logFile: options.logFile }),
          },
          emitter,
          context.signal,
        ),
      );
    });
}
