import type { Command } from 'commander';
import { exitCodes } from '../../errors.ts';
import type { CliContext } from '../context.ts';
import { collect, examples } from '../options.ts';
import { runCommand } from '../run-command.ts';
import { addSignatureOptions, parseSize, type SignatureOptions } from './bundle-options.ts';

interface RewriteOptions extends SignatureOptions {
  readonly out?: string;
  readonly split?: number;
  readonly sign?: string;
}

export function addBundleExtract(bundle: Command, context: CliContext): void {
  const command = bundle
    .command('extract')
    .description(
      'Lays the contents of a bundle out in a folder: images as an image layout, files as their publishers have them, packages as repositories for apt and dnf.',
    )
    .argument('<file>', 'bundle, or its first part')
    .requiredOption('-o, --out <folder>', 'the folder; made where it is not there')
    .option(
      '--item <names...>',
      'only these, by the names that `bundle list` shows, or repositories of packages, such as debian-12-amd64',
      collect,
      [],
    );
  addSignatureOptions(command).action(async (file: string) => {
    const options = command.optsWithGlobals<SignatureOptions & { out?: string; item: readonly string[] }>();
    const { extract } = await context.workflows.bundle();
    const paths = await extract(file, options.out ?? '', {
      keyFile: options.key,
      policy: options.signature,
      names: options.item,
      signal: context.signal,
    });
    for (const path of paths) context.stdout(`${path}\n`);
    context.finish(exitCodes.ok);
  });
}

export function addBundleJoin(bundle: Command, context: CliContext): void {
  const command = bundle
    .command('join')
    .description(
      'Makes one file out of parts (or, with --split, parts out of one file), verifying every blob on its way.',
    )
    .argument('<file>', 'the first part (FILE.001), or the name of the whole')
    .requiredOption('-o, --out <file>', 'the file to write')
    .option('--split <size>', 'cut it into parts of this size, such as 4G', parseSize);
  addSignatureOptions(command)
    .addHelpText('after', examples(['installer bundle join site.bundle.tar.001 -o site.bundle.tar']))
    .action(async (file: string) => {
      const options = command.optsWithGlobals<RewriteOptions>();
      const { runBundleJoin } = await context.workflows.bundle();
      await runCommand(context, options, (emitter, runId) =>
        runBundleJoin(
          file,
          { path: options.out ?? '', partBytes: options.split, keyFile: options.key, policy: options.signature },
          { emitter, runId, signal: context.signal, logFile: options.logFile },
        ),
      );
    });
}

export function addBundleMerge(bundle: Command, context: CliContext): void {
  const command = bundle
    .command('merge')
    .description(
      'Makes one bundle of two: of a delta and its base, or of two that hold different platforms or versions.',
    )
    .argument('<a>', 'bundle')
    .argument('<b>', 'bundle')
    .requiredOption('-o, --out <file>', 'the file to write')
    .option('--split <size>', 'cut it into parts of this size, such as 4G', parseSize)
    .option('--sign <key>', 'sign the result with this private key; signatures of the two do not fit it');
  addSignatureOptions(command).action(async (a: string, b: string) => {
    const options = command.optsWithGlobals<RewriteOptions>();
    const { runBundleMerge } = await context.workflows.bundle();
    await runCommand(context, options, (emitter, runId) =>
      runBundleMerge(
        [a, b],
        {
          path: options.out ?? '',
          partBytes: options.split,
          signKeyFile: options.sign,
          keyFile: options.key,
          policy: options.signature,
        },
        { emitter, runId, signal: context.signal, logFile: options.logFile },
      ),
    );
  });
}
