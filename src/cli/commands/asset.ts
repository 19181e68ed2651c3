import type { Command } from 'commander';
import { listAssets, readAsset } from '../../assets.ts';
import { exitCodes, InstallerError } from '../../errors.ts';
import type { CliContext } from '../context.ts';

/** Shows what the binary carries; not in the help, for it serves to look into a binary, not to use it. */
export function addAsset(program: Command, context: CliContext): void {
  program
    .command('asset', { hidden: true })
    .description('Lists the files that this program carries, or prints one of them.')
    .argument('[path]', 'path as listed')
    .action((path: string | undefined) => {
      const paths = listAssets('');
      if (path !== undefined && !paths.includes(path)) {
        throw new InstallerError({
          code: 'ASSET_UNKNOWN',
          message: `There is no asset ${path}`,
          remedy: 'See `installer asset` for the list.',
          exitCode: exitCodes.usage,
        });
      }
      context.stdout(path === undefined ? paths.map((name) => `${name}\n`).join('') : readAsset(path));
      context.finish(exitCodes.ok);
    });
}
