import type { Command } from 'commander';
import type { CliContext } from '../context.ts';
import { addConfigOption, configFileOf, examples, parseCount, type GlobalOptions } from '../options.ts';
import { runCommand } from '../run-command.ts';

interface Options extends GlobalOptions {
  readonly confirm: string;
  readonly dryRun: boolean;
  readonly concurrency: number;
}

export function addReset(program: Command, context: CliContext): void {
  const command = program
    .command('reset')
    .summary('take a cluster off its hosts')
    .description(
      'Removes the cluster from every host of the cluster file and puts back what the installer had changed on them. Everything in the cluster is lost.',
    );
  addConfigOption(command);
  command
    .requiredOption('--confirm <name>', 'name of the cluster, as a safeguard')
    .option('--dry-run', 'show what would be removed from which host, and change nothing', false)
    .option('--concurrency <n>', 'most hosts to work on at the same time', parseCount, 100)
    .addHelpText(
      'after',
      examples([
        'installer reset -c clusterConfig.yaml --confirm prod --dry-run',
        'installer reset -c clusterConfig.yaml --confirm prod',
      ]),
    )
    .action(async () => {
      const configFile = configFileOf(command);
      const options = command.optsWithGlobals<Options>();
      await runCommand(context, options, (emitter, runId) =>
        context.workflows.reset(
          {
            configFile,
            confirm: options.confirm,
            dryRun: options.dryRun,
            concurrency: options.concurrency,
            runId,
            ...(options.logFile === undefined ? {} : { logFile: options.logFile }),
          },
          emitter,
          context.signal,
        ),
      );
    });
}
