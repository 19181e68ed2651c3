import { InvalidArgumentError, Option, type Command } from 'commander';
import { exitCodes } from '../../errors.ts';
import type { GlobalOptions } from '../options.ts';

const signaturePolicies = ['always', 'if-present', 'never'] as const;

/** Options of commands that read a bundle. */
export interface SignatureOptions extends GlobalOptions {
  readonly key?: string;
  readonly signature?: (typeof signaturePolicies)[number];
}

export function addSignatureOptions(command: Command): Command {
  return command
    .option('--key <file>', 'public key that the bundle must be signed with')
    .addOption(new Option('--signature <policy>', 'when a signature is asked for').choices(signaturePolicies));
}

/** --bundle FILE, and how its signature is judged: for commands that take everything for the hosts from a bundle. */
export function addBundleOption(command: Command): Command {
  return addSignatureOptions(
    command.option('--bundle <file>', 'take everything for the hosts from this bundle, through their SSH connections'),
  );
}

/** The bundle of a command made with addBundleOption; ends with a usage error where a key is given and no bundle. */
export function bundleOf(
  command: Command,
): { readonly path: string; readonly keyFile?: string; readonly policy?: SignatureOptions['signature'] } | undefined {
  const { bundle, key, signature } = command.opts<SignatureOptions & { readonly bundle?: string }>();
  if (bundle !== undefined) {
    return {
      path: bundle,
      ...(key === undefined ? {} : { keyFile: key }),
      ...(signature === undefined ? {} : { policy: signature }),
    };
  }
  if (key === undefined && signature === undefined) return undefined;
  return command.error('error: --key and --signature go with --bundle', {
    code: 'commander.missingMandatoryOptionValue',
    exitCode: exitCodes.usage,
  });
}

/** Options of commands that log in, or let log in. */
export interface AccountOptions {
  readonly username?: string;
  readonly passwordEnv?: string;
  readonly passwordFile?: string;
}

export function addAccountOptions(command: Command, whose: string): Command {
  return command
    .option('--username <name>', `user ${whose}`)
    .option('--password-env <name>', 'environment variable with the password')
    .option('--password-file <file>', 'file with the password');
}

/** Name and source of the password; undefined where no name is given. Ends with a usage error where one lacks the other. */
export function accountOf(
  command: Command,
  { username, passwordEnv, passwordFile }: AccountOptions,
): { readonly username: string; readonly password: { env: string } | { file: string } } | undefined {
  const password =
    passwordEnv !== undefined ? { env: passwordEnv } : passwordFile !== undefined ? { file: passwordFile } : undefined;
  if (username !== undefined && password !== undefined) return { username, password };
  if (username === undefined && password === undefined) return undefined;
  return command.error('error: --username goes with --password-env or --password-file', {
    code: 'commander.missingMandatoryOptionValue',
    exitCode: exitCodes.usage,
  });
}

const units: Readonly<Record<string, number>> = { '': 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3, T: 1024 ** 4 };
const smallestPart = 64 * 1024;

/** `4G`, `700M`: powers of 1024. */
export function parseSize(value: string): number {
  const [, digits = '', unit = ''] = /^(\d+)([KMGT]?)(?:iB|B)?$/.exec(value) ?? [];
  const bytes = Number(digits) * (units[unit] ?? Number.NaN);
  if (digits === '' || !Number.isSafeInteger(bytes) || bytes < smallestPart) {
    throw new InvalidArgumentError('It must be a size of at least 64K, such as 4G or 700M.');
  }
  return bytes;
}

export function parsePort(value: string): number {
  const port = Number(value);
  if (!/^\d+$/.test(value) || port > 65_535) throw new InvalidArgumentError('It must be a port from 0 to 65535.');
  return port;
}
