import type { Command } from 'commander';
import type { CliContext } from '../context.ts';
import { addConfigOption, collect, examples, sharedOptions } from '../options.ts';
import { runOnHosts } from '../run-command.ts';

interface Options {
  readonly host: readonly string[];
  readonly dryRun: boolean;
}

export function addRestoreHost(program: Command, context: CliContext): void {
  const command = program
    .command('restore-host')
    .summary('put back what prepare changed')
    .description(
      'Puts every host back to what its record says was there before prepare or cluster-create: files, kernel parameters, services, swap and packages. A file that was edited since is kept and named. Refuses a host on which the cluster still stands; reset is for that.',
    );
  addConfigOption(command);
  command
    .option('--host <name...>', 'only this host of the cluster file; may be repeated', collect, [])
    .option('--dry-run', 'show what would be put back on which host, and change nothing', false)
    .addOption(sharedOptions.concurrency())
    .addHelpText(
      'after',
      examples([
        'installer restore-host -c clusterConfig.yaml --dry-run',
        'installer restore-host -c clusterConfig.yaml --host worker1',
      ]),
    )
    .action(async () => {
      const options = command.opts<Options>();
      await runOnHosts(context, command, (input, emitter, signal) =>
        context.workflows.restoreHost({ ...input, hosts: options.host, dryRun: options.dryRun }, emitter, signal),
      );
    });
}
