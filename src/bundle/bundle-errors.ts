import { exitCodes, InstallerError, type ExitCode } from '../errors.ts';
import { inBinaryUnits } from '../lib/size.ts';

interface BundleErrorOptions {
  readonly exitCode?: ExitCode;
  readonly details?: readonly string[];
  readonly cause?: unknown;
}

/** An error about a bundle; `code` is put behind BUNDLE_. */
export function bundleError(
  code: string,
  message: string,
  remedy: string,
  options: BundleErrorOptions = {},
): InstallerError {
  return new InstallerError({ code: `BUNDLE_${code}`, message, remedy, ...options });
}

/** Wrong use: a command or a file that cannot be what was meant. */
export function bundleUsage(code: string, message: string, remedy: string): InstallerError {
  return bundleError(code, message, remedy, { exitCode: exitCodes.usage });
}

/** The file is no bundle, or not one of this program's. */
export function notABundle(path: string, why: string): InstallerError {
  return bundleUsage(
    'INVALID',
    `${path} is not a bundle: ${why}`,
    'give the file, or the first part (.001), that `installer bundle create` wrote',
  );
}

/** Bytes of the bundle are not those that it says they are. */
export function damaged(path: string, why: string, details: readonly string[] = []): InstallerError {
  return bundleError(
    'DAMAGED',
    `${path} is damaged: ${why}`,
    'copy it again from where it was made; `installer bundle verify` tells what is wrong with each blob',
    { details },
  );
}

/** `1.5 GiB`, for messages; exact below 1 KiB. */
export function formatSize(bytes: number): string {
  const { value, unit } = inBinaryUnits(bytes);
  return `${unit === 'B' ? value : value.toFixed(1)} ${unit}`;
}
