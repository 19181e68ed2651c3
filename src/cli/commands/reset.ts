import type { Command } from 'commander';
import type { CliContext } from '../context.ts';
import { addConfigOption, examples, sharedOptions } from '../options.ts';
import { runOnHosts } from '../run-command.ts';

interface Options {
  readonly confirm: string;
  readonly dryRun: boolean;
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
    .addOption(sharedOptions.concurrency())
    .addHelpText(
      'after',
      examples([
        'installer reset -c clusterConfig.yaml --confirm prod --dry-run',
        'installer reset -c clusterConfig.yaml --confirm prod',
      ]),
    )
    .action(async () => {
      const options = command.opts<Options>();
      await runOnHosts(context, command, (input, emitter, signal) =>
        context.workflows.reset({ ...input, confirm: options.confirm, dryRun: options.dryRun }, emitter, signal),
      );
    });
}
