import type { CommandOptions, CommandResult } from '../commands.ts';
import type { LabHost } from '../host.ts';

/** Runs a command on a host that has to succeed; throws with what it said otherwise. */
export async function must(
  host: LabHost,
  command: string | readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  const result = await host.exec(command, options);
  if (result.exitCode === 0) return result;
  const shown = typeof command === 'string' ? command : command.join(' ');
  throw new Error(`${host.name}: ${shown} ended with ${result.exitCode}: ${result.stderr.trim()}`);
}
