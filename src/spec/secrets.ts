import { readFile } from 'node:fs/promises';
import { exitCodes, InstallerError, messageOf } from '../errors.ts';
import type { SecretSource } from './config.ts';

/** The secret itself: the variable's value, or the file's text without its last line break. Empty is an error (exit code 2). */
export async function readSecret(
  source: SecretSource,
  what: string,
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<string> {
  const where = 'env' in source ? `the environment variable ${source.env}` : source.file;
  let value: string | undefined;
  let reason = 'it is not set';
  if ('env' in source) value = env[source.env];
  else {
    try {
      value = (await readFile(source.file, 'utf8')).replace(/\r?\n$/, '');
    } catch (error) {
      reason = messageOf(error);
    }
  }
  if (value === undefined || value === '') {
    throw new InstallerError({
      code: 'SECRET_UNREADABLE',
      message: `cannot read ${what} from ${where}: ${value === '' ? 'it is empty' : reason}`,
      remedy: 'set it, or name another source in the cluster file',
      exitCode: exitCodes.usage,
    });
  }
  return value;
}
