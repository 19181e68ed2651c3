import type { Command } from 'commander';
import { exitCodes } from '../../errors.ts';
import type { CliContext } from '../context.ts';
import { addConfigOption, configFileOf, examples } from '../options.ts';

export function addConfig(program: Command, context: CliContext): void {
  const config = program.command('config').description('Work with a cluster file.');
  const validate = config
    .command('validate')
    .description('Checks a cluster file without touching any host; every mistake is told with its line and column.');
  addConfigOption(validate);
  validate.addHelpText('after', examples(['installer config validate -c clusterConfig.yaml'])).action(async () => {
    const configFile = configFileOf(validate);
    const name = await context.workflows.validateConfig(configFile);
    context.stdout(`${configFile}: cluster ${name} is valid\n`);
    context.finish(exitCodes.ok);
  });
}
