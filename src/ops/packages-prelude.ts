import { quoteArgv } from '../lib/quote.ts';
import { hostPaths } from './host-paths.ts';
import { removedPackagesEntryId, type PackagesCommands } from './record.ts';

/**
 * Helpers that list packages, with the command that does. What was removed and is there again did not come by us: it was there
 * before.
 */
export function packagesPrelude(commands: PackagesCommands): string {
  return `D=${hostPaths.before}/packages
R=${hostPaths.before}/${removedPackagesEntryId}
# Those of an act that was cut off, too; what is left of a removal is configuration alone.
packages_now() { ${quoteArgv(commands.list)} | sed -n -e '/^.[nc]/d' -e 's/^[^ ][^ ]*  *//p' | sort -u; }
packages_whole() { ${quoteArgv(commands.list)} | sed -n 's/^[hi]i *//p' | sort -u; }
# $1 names, a line each: passes on what of its input is among them
packages_among() {
  while read -r n; do case "
$1
" in *"
$n
"*) printf '%s\\n' "$n";; esac; done
}
removed_names() { sed -n 's/^removed=\\([^ ]*\\) .*/\\1/p' "$R/entry" 2>/dev/null; }
packages_added() {
  { [ ! -f "$D/pending" ] || packages_now | comm -13 "$D/pending" -
    cat "$D/added" 2>/dev/null || :; } | grep -vxF -e "$(removed_names)" || :
}
`;
}
