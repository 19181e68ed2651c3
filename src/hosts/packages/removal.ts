import { quoteArgv } from '../../lib/quote.ts';
import { commandQuery, type CommandQuery, type CommandSeen } from '../../ops/query.ts';
import type { PackageManager } from './package-manager.ts';

/** Which of these packages are there by these very names, and what speaks against taking them away. */
export function removalQuery({ removal, record }: PackageManager, names: readonly string[]): CommandQuery {
  const script = `f=$(${quoteArgv(removal.find)} "$@" 2>/dev/null); [ $? -le 1 ] || { echo 'the package manager does not answer' >&2; exit 2; }
f=$(printf '%s\\n' "$f" | sed -n -e '/^.[nc]/d' -e 's/^[^ ][^ ]*  *//p')
[ -n "$f" ] || exit 0
printf '%s\\n' "$f" | sed 's/^/there=/'
o=$(${quoteArgv(record.tryRemoval)} $(printf '%s\\n' "$f" | sed 's/ .*//') 2>&1 </dev/null) || printf '%s\\n' "$o" | sed 's/^/objection=/'
exit 0`;
  return commandQuery(['/bin/sh', '-c', script, 'sh', ...names], { timeoutSeconds: 60 });
}

export interface RemovalSeen {
  readonly there: readonly { readonly name: string; readonly version: string }[];
  /** Those that need one of them, by the words of the package manager; empty where it would remove them. */
  readonly objections: readonly string[];
}

export function parseRemoval({ stdout }: CommandSeen): RemovalSeen {
  const lines = stdout.split('\n');
  const of = (key: string): string[] =>
    lines.filter((line) => line.startsWith(`${key}=`)).map((line) => line.slice(key.length + 1).trim());
  const said = of('objection').filter((line) => line !== '');
  // Beside who needs them, dpkg says a good deal that helps nobody.
  const telling = said.filter((line) => / depends on | is needed by |essential|protected/i.test(line));
  return {
    there: of('there').map((line) => {
      const [name = '', version = ''] = line.split(' ');
      return { name, version };
    }),
    objections: telling.length > 0 ? telling : said,
  };
}
