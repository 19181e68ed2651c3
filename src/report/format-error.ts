import { InstallerError, InstallerErrors, messageOf } from '../errors.ts';
import type { ErrorReport } from './events.ts';
import { formatNames, indent, stripControls, type Paint } from './format.ts';

/** The fields of an error as events carry them. */
export function reportOf(error: InstallerError): ErrorReport {
  const { code, message, host, remedy, details } = error;
  return { code, message, host, remedy, details };
}

/** Reports of anything thrown: several for InstallerErrors, none for a defect. */
export function reportsOf(error: unknown): readonly ErrorReport[] {
  if (error instanceof InstallerErrors) return error.errors.map(reportOf);
  return error instanceof InstallerError ? [reportOf(error)] : [];
}

/**
 * Failures for people. Those that differ only in their host are one entry with the names of the hosts and the details
 * of the first: the same cause on a hundred hosts is one thing to read.
 */
export function formatErrors(errors: readonly ErrorReport[], paint: Paint): string {
  const groups = new Map<string, ErrorReport[]>();
  for (const error of errors) {
    const key = JSON.stringify([error.code, plainMessage(error), error.remedy]);
    groups.set(key, [...(groups.get(key) ?? []), error]);
  }
  return [...groups.values()].map((group) => formatGroup(group, paint)).join('\n');
}

/** Text for a defect of this program; `logFile` holds the stack where there is one. */
export function formatDefect(error: unknown, logFile: string | undefined, paint: Paint): string {
  const lines = [
    `${paint('bad', 'Error:')} this is a defect of the installer: ${stripControls(messageOf(error))} [INTERNAL]`,
    logFile === undefined
      ? indent(stripControls(stackOf(error)), '  | ')
      : `  do: report it with the log, which holds the details: ${logFile}`,
  ];
  return lines.join('\n');
}

/** The stack with those of the causes, for the log. */
export function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const own = error.stack ?? error.message;
  return error.cause === undefined ? own : `${own}\ncaused by: ${stackOf(error.cause)}`;
}

function formatGroup(group: readonly ErrorReport[], paint: Paint): string {
  const first = group[0];
  if (first === undefined) return '';
  const hosts = [...new Set(group.flatMap((error) => error.host ?? []))];
  const where = hosts.length === 0 ? '' : `${formatNames(hosts)}: `;
  const lines = [
    `${paint('bad', 'Error:')} ${where}${stripControls(plainMessage(first))} ${paint('dim', `[${first.code}]`)}`,
  ];
  if (first.remedy !== undefined) lines.push(`  do: ${stripControls(first.remedy)}`);
  if (first.details.length > 0) {
    if (hosts.length > 1) lines.push(`  on ${hosts[0] ?? ''}:`);
    lines.push(indent(stripControls(first.details.join('\n')), paint('dim', '  | ')));
  }
  return lines.join('\n');
}

/** The message without the name of the host before it, which the report puts there itself. */
function plainMessage(error: ErrorReport): string {
  const prefix = `${error.host ?? ''}: `;
  return error.host !== undefined && error.message.startsWith(prefix)
    ? error.message.slice(prefix.length)
    : error.message;
}
