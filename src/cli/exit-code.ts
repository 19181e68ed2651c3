import { exitCodes, InstallerError, InstallerErrors, type ExitCode } from '../errors.ts';

/** The exit code for anything thrown; what is not an InstallerError is a defect of this program. */
export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof InstallerError) return error.exitCode;
  if (error instanceof InstallerErrors) return error.errors[0]?.exitCode ?? exitCodes.internal;
  return exitCodes.internal;
}
