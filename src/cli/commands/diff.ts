import type { Command } from 'commander';
import type { CliContext } from '../context.ts';
import { addConfigOption, collect, configFileOf, examples, parseCount, type GlobalOptions } from '../options.ts';
import { runCommand } from '../run-command.ts';

interface Options extends GlobalOptions {
  readonly concurrency: number;
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
  command
    .option('--concurrency <n>', 'most hosts to work on at the same time', parseCount, 100)
    .option('--verify-content', 'compare the content of large files too, not their size and date alone', false)
    .option('--ignore-check <id...>', 'report the findings of a check and go on; may be repeated', collect, [])
    .addHelpText(
      'after',
      examples([
        'installer diff -c clusterConfig.yaml',
        'installer diff -c clusterConfig.yaml --output json | jq \'select(.type == "step.planned")\'',
      ]),
    )
    .action(async () => {
      const configFile = configFileOf(command);
      const options = command.optsWithGlobals<Options>();
      await runCommand(context, options, (emitter, runId) =>
        context.workflows.diff(
          {
            configFile,
            concurrency: options.concurrency,
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
