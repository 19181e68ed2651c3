import { commandQuery, type CommandQuery } from './query.ts';

/** Paths of the tools that are there, a line each. */
export function toolsQuery(names: readonly string[]): CommandQuery {
  return commandQuery(['/bin/sh', '-c', 'for t in "$@"; do command -v "$t"; done; exit 0', 'sh', ...names]);
}
