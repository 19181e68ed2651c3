import type { Command } from 'commander';
import type { CliContext } from '../context.ts';
import { addConfigOption, examples, sharedOptions } from '../options.ts';
import { runOnHosts } from '../run-command.ts';
import { addBundleOption } from './bundle-options.ts';

interface Options {
  readonly verifyContent: boolean;
  readonly ignoreCheck: readonly string[];
}

export function addDiff(program: Command, context: CliContext): void {
  const command = program
    .command('diff')
    .summary('show what differs from the file')
    .description(
      'Shows per host what is not as the cluster file says, and changes nothing. Ends with 0 where nothing differs and with 6 where something does.',
    );
  addConfigOption(command);
  addBundleOption(command)
    .addOption(sharedOptions.concurrency())
    .addOption(sharedOptions.verifyContent())
    .addOption(sharedOptions.ignoreCheck())
    .addHelpText(
      'after',
      examples([
        'installer diff -c clusterConfig.yaml',
        'installer diff -c clusterConfig.yaml --output json | jq \'select(.type == "step.planned")\'',
      ]),
    )
    .action(async () => {
      const options = command.opts<Options>();
      await runOnHosts(context, command, (input, emitter, signal) =>
        context.workflows.diff(
          { ...input, verifyContent: options.verifyContent, ignoreChecks: options.ignoreCheck },
          emitter,
          signal,
        ),
      );
    });
}
