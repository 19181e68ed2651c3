import type { PackageManager } from './package-manager.ts';

/** $1 sed script, $2 pattern of the proof, the rest the command that tries. What it says is shown where nothing follows from it. */
const script = `removed=$1; proof=$2; shift 2
out=$("$@" 2>&1 </dev/null)
if ! printf '%s\\n' "$out" | grep -q -e "$proof"; then printf '%s\\n' "$out"; exit 1; fi
gone=$(printf '%s\\n' "$out" | sed -n "$removed" | sort -u | tr '\\n' ' ')
[ -z "$gone" ] || { echo "nothing was installed: that would remove or replace packages that are on the host: $gone"; exit 1; }`;

/**
 * What is there stays, for nobody would bring it back: a command that fails where an installation would take packages away. apt-get
 * refuses that by itself; the others have no such option.
 */
export function refuseRemovals(manager: PackageManager, names: readonly string[]): readonly (readonly string[])[] {
  const { rehearsal } = manager;
  if (rehearsal === undefined) return [];
  return [['/bin/sh', '-c', script, 'sh', rehearsal.removed, rehearsal.proof, ...rehearsal.try(names)]];
}
