import { InvalidArgumentError, type Command } from 'commander';
import { isBad } from '../../bundle/blob-status.ts';
import { formatSize } from '../../bundle/bundle-errors.ts';
import { exitCodes } from '../../errors.ts';
import { formatTable } from '../../report/format.ts';
import type { CliContext } from '../context.ts';
import { addConfigOption, collect, configFileOf, examples, parseCount, type GlobalOptions } from '../options.ts';
import { runCommand } from '../run-command.ts';
import { addSignatureOptions, parseSize, type SignatureOptions } from './bundle-options.ts';
import { addBundleCheck, addBundlePush, addBundleServe } from './bundle-registry.ts';
import { addBundleExtract, addBundleJoin, addBundleMerge } from './bundle-rewrite.ts';

interface CreateOptions extends GlobalOptions {
  readonly out?: string;
  readonly platform: readonly string[];
  readonly upgradeTo?: string;
  readonly deltaFrom?: string;
  readonly split?: number;
  readonly sign?: string;
  readonly repositoryKey?: string;
  readonly jobs?: number;
  readonly allowUnpinned: boolean;
  readonly allowMissingInstaller: boolean;
  readonly baseKey?: string;
  readonly verifyContent: boolean;
  readonly installer: readonly { readonly platform: string; readonly path: string }[];
}

/** `installer bundle …`: everything that an installation needs, in one file. */
export function addBundle(program: Command, context: CliContext): void {
  const bundle = program
    .command('bundle')
    .summary('one file that holds everything an installation needs')
    .description('Makes, verifies and serves one file that holds everything that a cluster file needs.');
  addCreate(bundle, context);
  addVerify(bundle, context);
  addInspect(bundle, context);
  addList(bundle, context);
  addDiff(bundle, context);
  addBundleExtract(bundle, context);
  addBundleServe(bundle, context);
  addBundlePush(bundle, context);
  addBundleCheck(bundle, context);
  addBundleMerge(bundle, context);
  addBundleJoin(bundle, context);
  addKeygen(bundle, context);
}

function addCreate(bundle: Command, context: CliContext): void {
  const command = bundle
    .command('create')
    .description(
      'Fetches everything that the cluster file needs into one file. A second run goes on where the first one stopped; the same inputs give the same bytes.',
    );
  addConfigOption(command);
  command
    .requiredOption('-o, --out <file>', 'the file to write')
    .option('--platform <platforms...>', 'for hosts of these platforms (default: that of this machine)', collect, [])
    .option('--upgrade-to <version>', 'hold every step of an upgrade to this Kubernetes version too')
    .option(
      '--allow-unpinned',
      "take what the origin's tag or checksum says now, where the cluster file and its catalogs pin nothing",
      false,
    )
    .option('--installer <platform=file>', 'put this installer in, for a platform; may be repeated', parseInstaller, [])
    .option('--allow-missing-installer', 'do without the installer itself for platforms that none is given for', false)
    .option('--delta-from <bundle>', 'leave out what this bundle has')
    .option('--base-key <file>', 'public key that the bundle of --delta-from must be signed with')
    .option('--split <size>', 'cut the file into parts of this size, such as 4G', parseSize)
    .option('--sign <key>', 'sign the table of contents with this private key')
    .option('--repository-key <key>', 'sign the indexes of package repositories with this OpenPGP private key')
    .option('--jobs <n>', 'files to fetch at the same time (default: 8)', parseCount)
    .option('--verify-content', 'read every byte of the bundle in the end, and fetch anew what is damaged', false)
    .addHelpText(
      'after',
      examples([
        'installer bundle create -c clusterConfig.yaml -o site.bundle.tar --allow-unpinned',
        'installer bundle list site.bundle.tar --digests   (for spec.bundle.digests: the next bundle gets the very same)',
        'installer bundle create -c clusterConfig.yaml -o site.bundle.tar --platform linux/amd64,linux/arm64 --installer linux/arm64=installer-arm64 --upgrade-to v1.37.1',
      ]),
    )
    .action(async () => {
      const configFile = configFileOf(command);
      const options = command.optsWithGlobals<CreateOptions>();
      const { runBundleCreate } = await context.workflows.bundle();
      await runCommand(context, options, (emitter, runId) =>
        runBundleCreate(
          {
            configFile,
            path: options.out ?? '',
            platforms: options.platform,
            upgradeTo: options.upgradeTo,
            deltaFrom: options.deltaFrom,
            partBytes: options.split,
            signKeyFile: options.sign,
            repositoryKeyFile: options.repositoryKey,
            jobs: options.jobs,
            allowUnpinned: options.allowUnpinned,
            allowMissingInstaller: options.allowMissingInstaller,
            baseKeyFile: options.baseKey,
            verifyContent: options.verifyContent,
            installers: options.installer,
            env: context.env,
          },
          { emitter, runId, signal: context.signal, logFile: options.logFile },
        ),
      );
    });
}

function addVerify(bundle: Command, context: CliContext): void {
  const command = bundle
    .command('verify')
    .description(
      'Reads every byte of a bundle and tells of each blob whether it is ok, missing, of a wrong size or digest, or unreadable. Ends with 4 where something is wrong.',
    )
    .argument('<file>', 'bundle, or its first part');
  addSignatureOptions(command).action(async (file: string) => {
    const options = command.optsWithGlobals<SignatureOptions>();
    const { verify, describeSignature } = await context.workflows.bundle();
    const result = await verify(file, {
      keyFile: options.key,
      policy: options.signature,
      signal: context.signal,
    });
    const { blobs, problems, isWhole, signature, manifest } = result;
    if (options.output === 'json') {
      context.stdout(`${JSON.stringify({ file, isWhole, signature, problems, blobs })}\n`);
    } else {
      const bad = blobs.filter(isBad);
      for (const { status, digest, reason, items } of bad) {
        context.stdout(`${status}  ${digest}  ${items.join(', ')}${reason === undefined ? '' : `: ${reason}`}\n`);
      }
      for (const problem of problems) context.stdout(`${problem}\n`);
      const good = blobs.filter(({ status }) => status === 'ok');
      const bytes = good.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
      const base =
        manifest.base === undefined ? '' : `; ${manifest.base.blobs.length} more are in ${manifest.base.manifest}`;
      const verdict = isWhole ? 'whole' : 'NOT whole';
      context.stdout(
        `${file}: ${verdict}: ${good.length} of ${manifest.blobs.length} blobs ok (${formatSize(bytes)})${base}; ${describeSignature(signature)}\n`,
      );
    }
    context.finish(isWhole ? exitCodes.ok : exitCodes.operationFailed);
  });
}

function addInspect(bundle: Command, context: CliContext): void {
  const command = bundle
    .command('inspect')
    .description('Shows what is in a bundle and what takes the space. With --output json: the whole table of contents.')
    .argument('<file>', 'bundle, or its first part');
  addSignatureOptions(command).action(async (file: string) => {
    const options = command.optsWithGlobals<SignatureOptions>();
    const { inspect } = await context.workflows.bundle();
    const { summary, tree } = await inspect(file, { keyFile: options.key, policy: options.signature });
    context.stdout(options.output === 'json' ? `${JSON.stringify(summary)}\n` : tree);
    context.finish(exitCodes.ok);
  });
}

function addList(bundle: Command, context: CliContext): void {
  const command = bundle
    .command('list')
    .description('Lists the items of a bundle, one a line. With --output json: one JSON object a line.')
    .argument('<file>', 'bundle, or its first part')
    .option('--digests', 'print what its images are, for spec.bundle.digests', false);
  addSignatureOptions(command).action(async (file: string) => {
    const options = command.optsWithGlobals<SignatureOptions & { readonly digests: boolean }>();
    const { inspect } = await context.workflows.bundle();
    const { summary, rows, digests } = await inspect(file, { keyFile: options.key, policy: options.signature });
    if (options.digests) {
      for (const line of digests) context.stdout(`${line}\n`);
    } else if (options.output === 'json') {
      const { items } = summary.manifest as { readonly items: readonly unknown[] };
      for (const item of items) context.stdout(`${JSON.stringify(item)}\n`);
    } else {
      context.stdout(formatTable([['KIND', 'NAME', 'PLATFORMS', 'SIZE', 'PIN', 'DIGEST'], ...rows]));
    }
    context.finish(exitCodes.ok);
  });
}

function addDiff(bundle: Command, context: CliContext): void {
  const command = bundle
    .command('diff')
    .description('Tells what the second bundle has that the first has not, what is gone, and what became another.')
    .argument('<before>', 'bundle')
    .argument('<after>', 'bundle');
  addSignatureOptions(command).action(async (before: string, after: string) => {
    const options = command.optsWithGlobals<SignatureOptions>();
    const { diff } = await context.workflows.bundle();
    const result = await diff(before, after, { keyFile: options.key, policy: options.signature });
    if (options.output === 'json') {
      context.stdout(`${JSON.stringify(result)}\n`);
    } else {
      const signs = { added: '+', removed: '-', changed: '~' } as const;
      for (const { what, item, before: was } of result.differences) {
        const name = item.version === undefined ? item.name : `${item.name} ${item.version}`;
        const from = was === undefined ? '' : `${was.digest.slice(0, 19)} (${was.platforms.join(', ')}) -> `;
        context.stdout(
          `${signs[what]} ${item.kind} ${name} ${from}${item.digest.slice(0, 19)} (${item.platforms.join(', ')})\n`,
        );
      }
      context.stdout(
        `${result.differences.length} items differ; ${formatSize(result.newBytes)} of blobs are new, ${formatSize(result.goneBytes)} are gone\n`,
      );
    }
    context.finish(exitCodes.ok);
  });
}

function addKeygen(bundle: Command, context: CliContext): void {
  bundle
    .command('keygen')
    .description(
      'Makes a pair of keys for --sign and --key: the private one in FILE, for its owner only, the public one in FILE.pub.',
    )
    .argument('<file>', 'file for the private key')
    .option('--repository', 'make an OpenPGP pair for --repository-key instead', false)
    .action(async (file: string, options: { readonly repository: boolean }) => {
      const { writeKeyPair, writeRepositoryKeyPair } = await context.workflows.bundle();
      if (options.repository) {
        const { publicPath } = await writeRepositoryKeyPair(file);
        context.stdout(`private key: ${file}\npublic key: ${publicPath}\n`);
        context.finish(exitCodes.ok);
        return;
      }
      const { keyId, publicPath } = await writeKeyPair(file);
      context.stdout(`private key: ${file}\npublic key: ${publicPath}\nid: ${keyId}\n`);
      context.finish(exitCodes.ok);
    });
}

function parseInstaller(
  value: string,
  previous: readonly { platform: string; path: string }[],
): readonly { platform: string; path: string }[] {
  const [, platform, path] = /^([^=]+)=(.+)$/.exec(value) ?? [];
  if (platform === undefined || path === undefined) throw new InvalidArgumentError('Write it as linux/arm64=FILE.');
  return [...previous, { platform, path }];
}
