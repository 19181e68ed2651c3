import type { CommandSeen, FileSeen, Seen } from '../ops/query.ts';

/** Text of a file; empty where there is none or it cannot be read. */
export function fileText(seen: Seen<FileSeen>): string {
  return seen.state === 'present' ? (seen.value.content ?? '') : '';
}

/** What a command printed; empty where it did not run to its end. */
export function commandText(seen: Seen<CommandSeen>): string {
  return seen.state === 'present' ? seen.value.stdout : '';
}

/** The number that a text begins with. */
export function numberOf(text: string): number | undefined {
  const value = Number.parseFloat(text);
  return Number.isFinite(value) ? value : undefined;
}
