import type { Command } from 'commander';
import { exitCodes } from '../../errors.ts';
import { formatTable } from '../../report/format.ts';
import type { HtmlReport } from '../../report/html-report.ts';
import type { CliContext } from '../context.ts';
import { addConfigOption, configFileOf, examples, sharedOptions, type GlobalOptions } from '../options.ts';
import { runOnHosts } from '../run-command.ts';
import { addBundleOption } from './bundle-options.ts';

interface Options extends GlobalOptions {
  readonly ignoreCheck: readonly string[];
  readonly strict: boolean;
  readonly html?: string;
  readonly list: boolean;
}

export function addPrecheck(program: Command, context: CliContext): void {
  const command = program
    .command('precheck')
    .summary('look whether the hosts are fit for a cluster')
    .description(
      'Looks at the hosts of the cluster file and tells everything that would make cluster-create fail. Changes nothing, and needs no root for most of it. Ends with 3 where a check found an error.',
    );
  addConfigOption(command);
  addBundleOption(command)
    .option('--strict', 'warnings count as errors', false)
    .addOption(sharedOptions.ignoreCheck())
    .option('--html <file>', 'write the findings to this file too, as a page for a browser')
    .option('--list', 'list the checks and touch no host; all that is known of them with --output json', false)
    .addOption(sharedOptions.concurrency())
    .addHelpText(
      'after',
      examples([
        'installer precheck -c clusterConfig.yaml',
        'installer precheck -c clusterConfig.yaml --strict --ignore-check firewall',
        'installer precheck -c clusterConfig.yaml --html report.html',
        'installer precheck --list',
      ]),
    )
    .action(async () => {
      const options = command.optsWithGlobals<Options>();
      if (options.list) await listChecks(context, options);
      else await precheck(context, command, options);
    });
}

async function listChecks(context: CliContext, { output }: Options): Promise<void> {
  const checks = await context.workflows.listChecks();
  if (output === 'json') {
    for (const check of checks) context.stdout(`${JSON.stringify(check)}\n`);
  } else {
    const rows = checks.map(({ id, scope, severity, title }) => [id, scope, severity, title]);
    context.stdout(formatTable([['ID', 'SCOPE', 'SEVERITY', 'TITLE'], ...rows], context.columns));
  }
  context.finish(exitCodes.ok);
}

async function precheck(context: CliContext, command: Command, { html, ignoreCheck, strict }: Options): Promise<void> {
  // Before the report is opened: a wrong call touches no file.
  configFileOf(command);
  const report = html === undefined ? undefined : await openReport(context, html);
  await runOnHosts(
    context,
    command,
    async (input, emitter, signal) => {
      const outcome = await context.workflows.precheck(
        { ...input, ignoreChecks: ignoreCheck, strict },
        emitter,
        signal,
      );
      await report?.write();
      return outcome;
    },
    report === undefined ? [] : [report],
  );
}

async function openReport(context: CliContext, file: string): Promise<HtmlReport> {
  const { openHtmlReport } = await import('../../report/html-report.ts');
  return openHtmlReport(file, await context.workflows.listChecks());
}
