import type { Command } from 'commander';
import type { CliContext } from '../context.ts';
import { addConfigOption, examples, sharedOptions } from '../options.ts';
import { runOnHosts } from '../run-command.ts';
import { addBundleOption } from './bundle-options.ts';

interface Options {
  readonly dryRun: boolean;
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
  addBundleOption(command)
    .option('--dry-run', 'show what would be changed on which host, and change nothing', false)
    .addOption(sharedOptions.concurrency())
    .addOption(sharedOptions.ignoreCheck())
    .addHelpText(
      'after',
      examples(['installer prepare -c clusterConfig.yaml --dry-run', 'installer prepare -c clusterConfig.yaml']),
    )
    .action(async () => {
      const options = command.opts<Options>();
      await runOnHosts(context, command, (input, emitter, signal) =>
        context.workflows.prepare(
          { ...input, dryRun: options.dryRun, ignoreChecks: options.ignoreCheck },
          emitter,
          signal,
        ),
      );
    });
}
