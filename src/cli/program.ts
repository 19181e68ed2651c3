import { Command, Help, type Option } from 'commander';
import { programVersion } from '../assets.ts';
import { addAsset } from './commands/asset.ts';
import { addBundle } from './commands/bundle.ts';
import { addClusterCreate } from './commands/cluster-create.ts';
import { addConfig } from './commands/config.ts';
import { addDiff } from './commands/diff.ts';
import { addPrecheck } from './commands/precheck.ts';
import { addPrepare } from './commands/prepare.ts';
import { addReset } from './commands/reset.ts';
import { addRestoreHost } from './commands/restore-host.ts';
import type { CliContext } from './context.ts';
import { addGlobalOptions, examples } from './options.ts';

/** The command line: names, options and help. Parsing never ends the process; it throws CommanderError. */
export function createProgram(context: CliContext): Command {
  const program = new Command('installer')
    .description('Turns Linux hosts reachable over SSH into Kubernetes clusters and keeps them well.')
    .version(programVersion, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show help')
    .helpCommand('help [command]', 'show help for a command')
    .showSuggestionAfterError(true)
    .configureHelp({ showGlobalOptions: true, optionDescription: describeOption })
    .configureOutput({ writeOut: context.stdout, writeErr: context.stderr })
    .exitOverride()
    .addHelpText(
      'after',
      `${examples(['installer config validate -c clusterConfig.yaml', 'installer cluster-create -c clusterConfig.yaml', 'installer cluster-create --help'])}
Exit codes: 0 done, 1 defect, 2 wrong use or file, 3 precheck failed, 4 operation failed, 5 partly done, 6 drift found,
130 and 143 interrupted.\n`,
    );
  addGlobalOptions(program);
  addClusterCreate(program, context);
  addPrecheck(program, context);
  addPrepare(program, context);
  addDiff(program, context);
  addReset(program, context);
  addRestoreHost(program, context);
  addConfig(program, context);
  addBundle(program, context);
  addAsset(program, context);
  return program;
}

/** A default of `false` or of an empty list says nothing that the description does not. */
function describeOption(option: Option): string {
  const value: unknown = option.defaultValue;
  const isSilent = value === false || (Array.isArray(value) && value.length === 0);
  const shown = isSilent ? (Object.create(option, { defaultValue: { value: undefined } }) as Option) : option;
  return new Help().optionDescription(shown);
}
