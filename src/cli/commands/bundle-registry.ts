import { Option, type Command } from 'commander';
import { exitCodes } from '../../errors.ts';
import { formatItem } from '../../bundle/format-item.ts';
import { formatReference } from '../../oci/reference.ts';
import type { CliContext } from '../context.ts';
import { examples, parseCount } from '../options.ts';
import { runCommand } from '../run-command.ts';
import {
  accountOf,
  addAccountOptions,
  addSignatureOptions,
  parsePort,
  type AccountOptions,
  type SignatureOptions,
} from './bundle-options.ts';

interface RegistryOptions extends SignatureOptions, AccountOptions {
  readonly to?: string;
  readonly registry?: string;
  readonly keepHosts: boolean;
  readonly plainHttp: boolean;
  readonly insecure: boolean;
  readonly ca?: string;
  readonly jobs?: number;
  readonly dryRun?: boolean;
  readonly createProjects?: boolean;
}

interface ServeOptions extends SignatureOptions, AccountOptions {
  readonly host: string;
  readonly port: number;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly auth: 'basic' | 'token';
}

export function addBundlePush(bundle: Command, context: CliContext): void {
  const command = bundle
    .command('push')
    .description(
      'Pushes everything in a bundle into a registry: images, and files as artifacts. What is there is not sent.',
    )
    .argument('<file>', 'bundle, or its first part')
    .requiredOption('--to <registry>', 'HOST[:PORT][/PREFIX]')
    .option('--create-projects', 'make the projects that are not there (Harbor)', false)
    .option('--dry-run', 'show the names, and ask nobody', false)
    .option('--jobs <n>', 'blobs to send at the same time (default: 6)', parseCount);
  addRegistryOptions(command)
    .addHelpText(
      'after',
      examples([
        'installer bundle push site.bundle.tar --to 10.0.0.5:5000 --dry-run',
        'installer bundle push site.bundle.tar --to harbor.example.com/offline --create-projects --username admin --password-file pw',
      ]),
    )
    .action(async (file: string) => {
      const options = command.optsWithGlobals<RegistryOptions>();
      const input = inputOf(command, context, file, options.to ?? '', options);
      const { planPush, runBundlePush } = await context.workflows.bundle();
      if (options.dryRun !== true) {
        await runCommand(context, options, (emitter, runId) =>
          runBundlePush(input, { emitter, runId, signal: context.signal, logFile: options.logFile }),
        );
        return;
      }
      const { mapped, projects } = await planPush(input);
      for (const project of projects) {
        context.stdout(options.output === 'json' ? `${JSON.stringify({ project })}\n` : `project ${project}\n`);
      }
      for (const { item, to } of mapped) {
        const line =
          options.output === 'json'
            ? JSON.stringify({ kind: item.kind, name: item.name, to: formatReference(to), digest: item.digest })
            : `${formatItem(item)} -> ${formatReference(to)}`;
        context.stdout(`${line}\n`);
      }
      context.finish(exitCodes.ok);
    });
}

export function addBundleCheck(bundle: Command, context: CliContext): void {
  const command = bundle
    .command('check')
    .description('Asks a registry for every digest of a bundle. Ends with 4 where something is missing or is another.')
    .argument('<file>', 'bundle, or its first part')
    .requiredOption('--registry <registry>', 'HOST[:PORT][/PREFIX], as it was pushed to');
  addRegistryOptions(command).action(async (file: string) => {
    const options = command.optsWithGlobals<RegistryOptions>();
    const input = inputOf(command, context, file, options.registry ?? '', options);
    const { checkBundle } = await context.workflows.bundle();
    const items = await checkBundle(input, context.signal);
    const bad = items.filter(({ missing, otherDigest }) => missing.length > 0 || otherDigest !== undefined);
    if (options.output === 'json') {
      for (const { item, to, missing, otherDigest, isNarrowed } of items) {
        const line = { kind: item.kind, name: item.name, to: formatReference(to), missing, otherDigest, isNarrowed };
        context.stdout(`${JSON.stringify(line)}\n`);
      }
    } else {
      for (const { to, missing, otherDigest } of bad) {
        const other = otherDigest === undefined ? '' : ` names ${otherDigest} instead`;
        const lacks = missing.length === 0 ? '' : ` lacks ${missing.join(', ')}`;
        context.stdout(`${formatReference(to)}${other}${lacks}\n`);
      }
      const narrowed = items.filter(({ isNarrowed }) => isNarrowed).length;
      if (narrowed > 0) {
        context.stdout(
          `${narrowed} tags name the platforms of the bundle only, as the registry takes no index whose other platforms are missing: digests of their indexes find nothing\n`,
        );
      }
      context.stdout(`${items.length - bad.length} of ${items.length} items are whole in ${input.target}\n`);
    }
    context.finish(bad.length === 0 ? exitCodes.ok : exitCodes.operationFailed);
  });
}

export function addBundleServe(bundle: Command, context: CliContext): void {
  const command = bundle
    .command('serve')
    .description(
      'Serves a bundle as a read-only registry and as a file server, straight from the file, until Ctrl-C. Hosts reach it with spec.runtime.registries and spec.artifacts.mirrors.',
    )
    .argument('<file>', 'bundle, or its first part')
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--port <port>', 'port to listen on; 0 takes a free one', parsePort, 5000)
    .option('--tls-cert <file>', 'certificate, PEM; without it there is no TLS')
    .option('--tls-key <file>', 'its key, PEM')
    .addOption(
      new Option('--auth <scheme>', 'how clients of the registry log in; files are given to the account')
        .choices(['basic', 'token'])
        .default('basic'),
    );
  addAccountOptions(addSignatureOptions(command), 'that may read; without one everybody may')
    .addHelpText('after', examples(['installer bundle serve site.bundle.tar --host 10.0.0.5 --port 5000']))
    .action(async (file: string) => {
      const options = command.optsWithGlobals<ServeOptions>();
      const account = accountOf(command, options);
      const { serveBundle } = await context.workflows.bundle();
      await serveBundle(
        {
          path: file,
          keyFile: options.key,
          policy: options.signature,
          host: options.host,
          port: options.port,
          certificateFile: options.tlsCert,
          keyPemFile: options.tlsKey,
          account: account === undefined ? undefined : { ...account, scheme: options.auth },
          env: context.env,
        },
        context.signal,
        (addresses) => {
          const { registry, files, packages } = addresses;
          const repositories = Object.entries(packages).map(([name, url]) => `packages ${name} ${url}`);
          const text =
            options.output === 'json'
              ? JSON.stringify(addresses)
              : [`registry ${registry}`, `files ${files}`, ...repositories].join('\n');
          context.stdout(`${text}\n`);
        },
        (message) => context.stderr(`${message}\n`),
      );
      context.finish(exitCodes.ok);
    });
}

function addRegistryOptions(command: Command): Command {
  command
    .option('--keep-hosts', 'keep the host of an image as the first part of its repository', false)
    .option('--plain-http', 'the registry speaks HTTP without TLS', false)
    .option('--insecure', 'accept any certificate', false)
    .option('--ca <file>', 'certificate authority of the registry, PEM');
  return addAccountOptions(addSignatureOptions(command), 'of the registry; without one: that of `docker login`');
}

function inputOf(
  command: Command,
  context: CliContext,
  path: string,
  target: string,
  options: RegistryOptions,
): Parameters<Awaited<ReturnType<CliContext['workflows']['bundle']>>['runBundlePush']>[0] {
  const { keepHosts, plainHttp, insecure, ca, jobs, key, signature, createProjects } = options;
  const account = accountOf(command, options);
  return {
    path,
    target,
    keepHosts,
    plainHttp,
    insecure,
    caFile: ca,
    account,
    jobs,
    createProjects,
    keyFile: key,
    policy: signature,
    env: context.env,
  };
}
