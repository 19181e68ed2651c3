import type { Command } from 'commander';
import type { CliContext } from '../context.ts';
import { addConfigOption, collect, configFileOf, examples, parseCount, type GlobalOptions } from '../options.ts';
import { runCommand } from '../run-command.ts';

interface Options extends GlobalOptions {
  readonly dryRun: boolean;
  readonly concurrency: number;
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
  command
    .option('--dry-run', 'show what would be changed on which host, and change nothing', false)
    .option('--concurrency <n>', 'most hosts to work on at the same time', parseCount, 100)
    .option('--skip-phase <id...>', 'leave out a phase; may be repeated', collect, [])
    .option('--verify-content', 'compare the content of large files too, not their size and date alone', false)
    .option('--ignore-check <id...>', 'report the findings of a check and go on; may be repeated', collect, [])
    .addHelpText(
      'after',
      examples([
        'installer cluster-create -c clusterConfig.yaml',
        'installer cluster-create -c clusterConfig.yaml --dry-run',
        'installer cluster-create -c clusterConfig.yaml --ignore-check memory-size --skip-phase install-addons',
        'installer cluster-create -c clusterConfig.yaml --output json > events.jsonl',
      ]),
    )
    .action(async () => {
      const configFile = configFileOf(command);
      const options = command.optsWithGlobals<Options>();
      await runCommand(context, options, (emitter, runId) =>
        context.workflows.clusterCreate(
          {
            configFile,
            dryRun: options.dryRun,
            concurrency: options.concurrency,
            skipPhases: options.skipPhase,
            verifyContent: options.verifyContent,
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
