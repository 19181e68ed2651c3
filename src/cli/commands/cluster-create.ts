import type { Command } from 'commander';
import type { CliContext } from '../context.ts';
import { addConfigOption, collect, examples, sharedOptions } from '../options.ts';
import { runOnHosts } from '../run-command.ts';
import { addBundleOption } from './bundle-options.ts';

interface Options {
  readonly dryRun: boolean;
  readonly skipPhase: readonly string[];
  readonly verifyContent: boolean;
  readonly ignoreCheck: readonly string[];
}

export function addClusterCreate(program: Command, context: CliContext): void {
  const command = program
    .command('cluster-create')
    .summary('make a cluster, or bring it to what the file says')
    .description(
      'Turns the hosts of the cluster file into a Kubernetes cluster. What is already as it should be is left alone, so the same command goes on after a failure.',
    );
  addConfigOption(command);
  addBundleOption(command)
    .option('--dry-run', 'show what would be changed on which host, and change nothing', false)
    .addOption(sharedOptions.concurrency())
    .option('--skip-phase <id...>', 'leave out a phase; may be repeated', collect, [])
    .addOption(sharedOptions.verifyContent())
    .addOption(sharedOptions.ignoreCheck())
    .addHelpText(
      'after',
      examples([
        'installer cluster-create -c clusterConfig.yaml',
        'installer cluster-create -c clusterConfig.yaml --dry-run',
        'installer cluster-create -c clusterConfig.yaml --bundle site.bundle.tar --key site.pub',
        'installer cluster-create -c clusterConfig.yaml --ignore-check memory --skip-phase verify-cluster',
        'installer cluster-create -c clusterConfig.yaml --output json > events.jsonl',
      ]),
    )
    .action(async () => {
      const options = command.opts<Options>();
      await runOnHosts(context, command, (input, emitter, signal) =>
        context.workflows.clusterCreate(
          {
            ...input,
            dryRun: options.dryRun,
            skipPhases: options.skipPhase,
            verifyContent: options.verifyContent,
            ignoreChecks: options.ignoreCheck,
          },
          emitter,
          signal,
        ),
      );
    });
}
