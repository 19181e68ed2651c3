import { quote, quoteArgv } from '../lib/quote.ts';
import type { PackagesRemoval, PackagesReturn } from './action.ts';
import { recordPrelude } from './compile-record.ts';
import { packagesPrelude } from './packages-prelude.ts';
import { removedPackagesEntryId, type PackagesCommands, type RemovalCommands } from './record.ts';

function prelude(commands: PackagesCommands): string {
  return `fsync_path() { sync "$1" 2>/dev/null || sync; }
${recordPrelude}${packagesPrelude(commands)}`;
}

/**
 * Commands of a unit that installs packages, with what came by them kept. The list of what was there is on the disk before
 * anything is installed; where the unit is cut off, the next one, or the look before a removal, draws the difference.
 */
export function compileRecordedInstall(commands: PackagesCommands, body: string): string {
  return `${prelude(commands)}packages_settle() {
  [ -f "$D/pending" ] || return 0
  packages_added | sort -u >"$D/added.new" && fsync_path "$D/added.new" && mv "$D/added.new" "$D/added" && rm -f "$D/pending"
}
[ -f "$D/entry" ] || { before_begin packages packages; before_end packages; }
packages_settle || exit 74
packages_now >"$D/pending.new" && fsync_path "$D/pending.new" && mv "$D/pending.new" "$D/pending" && fsync_path "$D" || exit 74
trap 'rc=$?; packages_settle || exit 74; exit $rc' EXIT
${body}`;
}

function removalPrelude({ find, files, editedConfig, hold }: RemovalCommands): string {
  return `# STATUS NAME VERSION of those that are there, half installed ones too
removed_find() { ${quoteArgv(find)} "$@" 2>/dev/null | grep -v '^.[nc]'; }
removed_files() { ${quoteArgv(files)} "$1" 2>/dev/null; }
removed_config() { ${quoteArgv(editedConfig)} "$1" 2>/dev/null; }
removed_hold() { ${quoteArgv(hold)} "$1"; }
`;
}

/** Units of systemd that files on the standard input are, but templates. */
const unitsOf = `sed -n -e 's|^/usr/lib/systemd/system/||p' -e 's|^/lib/systemd/system/||p' | grep -v '[/@]' | grep -e '[.]service$' -e '[.]socket$' -e '[.]timer$' -e '[.]path$' | sort -u`;

/**
 * Commands of a unit that removes packages. Where something speaks against it, nothing is done. Version, edited configuration and
 * units of each are on the disk before it goes; what is there of the same version, from a run that was cut off, stays as it is.
 */
export function compileRecordedRemoval({ names, commands, removal }: PackagesRemoval, body: string): string {
  return `${prelude(commands)}${removalPrelude(removal)}# $1 name
keep_removed() {
  # It came by us, so it has not to come back.
  if packages_added | grep -qxF -e "$1"; then return 0; fi
  set -- "$1" $(removed_find "$1")
  [ -n "\${4:-}" ] || return 0
  [ -f "$R/entry" ] || { before_begin ${removedPackagesEntryId} removed-packages; before_end ${removedPackagesEntryId}; }
  if grep -qxF -e "removed=$1 $4" -e "removed=$1 $4 hold" "$R/entry"; then return 0; fi
  rm -rf "$R/config/$1"
  removed_config "$1" | while read -r p; do
    for f in "$p" "$p.rpmsave"; do
      [ ! -e "$f" ] || { mkdir -p "$R/config/$1" && cp -a --parents "$f" "$R/config/$1" || exit 74; }
    done
  done || exit 74
  [ ! -d "$R/config/$1" ] || sync -f "$R/config/$1" 2>/dev/null || sync
  {
    grep -vF -e "removed=$1 " -e "unit=$1 " "$R/entry"
    case $2 in h*) printf 'removed=%s %s hold\\n' "$1" "$4";; *) printf 'removed=%s %s\\n' "$1" "$4";; esac
    removed_files "$1" | ${unitsOf} | while read -r u; do
      s=$(unit_state "$u")
      case $s in ' '*) s="-$s";; esac
      printf 'unit=%s %s %s\\n' "$1" "$u" "$s"
    done
  } >"$R/entry.new"
  fsync_path "$R/entry.new" && mv "$R/entry.new" "$R/entry" && fsync_path "$R" || exit 74
}
${quoteArgv([...commands.tryRemoval, ...names])} || { echo 'nothing was removed: something else needs it'; exit 65; }
rm -f "$R/returning"
${names.map((name) => `keep_removed ${quote(name)} || exit 74\n`).join('')}${body}`;
}

/**
 * Commands of a unit that puts packages back: `commands` those of the versions that they had, else each in its old version, else in
 * the one that is to be had. What `returning` names was put back by a unit that was cut off, and not by somebody else.
 */
export function compilePackagesReturn(
  { packages, commands, removal, refresh, each }: PackagesReturn,
  together: readonly (readonly string[])[],
): string {
  const body = (list: readonly (readonly string[])[]): string => `{ ${list.map(quoteArgv).join(' && ')}; }`;
  // Of one alone it is known by then that its old version does not come.
  const oneByOne = each
    .map(({ exact, any }) => `${packages.length === 1 ? '' : `${body(exact)} || `}${body(any)} || :\n`)
    .join('');
  return `${prelude(commands)}${removalPrelude(removal)}${putBack}printf '%s\\n' ${packages.map(({ name }) => quote(name)).join(' ')} >"$R/returning.new"
fsync_path "$R/returning.new" && mv "$R/returning.new" "$R/returning" && fsync_path "$R" || exit 74
${quoteArgv(removal.mend)} || :
# What is known of the repositories may do, and one that does not answer is not waited for until the deadline.
timeout -k 5 240 ${quoteArgv(refresh)} || :
${body(together)} || {
${oneByOne}}
rc=0
left=
${packages.map(({ name, version }) => `put_back ${quote(name)} ${quote(version)}\n`).join('')}[ -n "$left" ] || rm -f "$R/returning"
exit $rc
`;
}

const putBack = `# $1 name, $2 version
put_back() {
  set -- "$1" "$2" $(removed_find "$1")
  case \${3:-} in ?i*) ;; *)
    echo "installer: package $1 was not put back, which was there in version $2; once its repository can be reached, run installer restore-host, or install it by hand"
    rc=1
    return 0 ;;
  esac
  [ "$5" = "$2" ] || echo "installer: package $1 is there again in version $5; $2, which was there before, is not to be had"
  if grep -qxF -e "removed=$1 $2 hold" "$R/entry"; then removed_hold "$1" || :; fi
  put_config_back "$1" || { echo "installer: configuration of package $1 could not be put back; it is in $R/config/$1"; rc=1; left=$1; }
  systemctl daemon-reload || :
  grep -F -e "unit=$1 " "$R/entry" | while read -r _ u e a; do put_unit_back "$u" "$e" "$a"; done
}
# $1 name
put_config_back() {
  [ -d "$R/config/$1" ] || return 0
  find "$R/config/$1" ! -type d | while read -r c; do
    p=\${c#"$R/config/$1"}
    mkdir -p "\${p%/*}" && cp -a "$c" "$p.installer-new" && fsync_path "$p.installer-new" && mv -fT "$p.installer-new" "$p" || exit 1
    # rpm saved the same.
    if [ ! -e "$c.rpmsave" ] && cmp -s "$c" "$p.rpmsave"; then rm -f "$p.rpmsave"; fi
  done
}
# $1 unit, $2 enablement, $3 activity
put_unit_back() {
  s=$(unit_state "$1")
  case "$2 $s" in
    'enabled enabled'*|'disabled disabled'*|'masked masked'*) ;;
    'enabled '*) systemctl enable "$1" ;;
    'disabled enabled'*) systemctl disable "$1" ;;
    'masked '*) systemctl mask "$1" ;;
  esac || echo "installer: $1 was $2 and could not be made so"
  case "$3 $s" in
    active*' active'|active*' activating') ;;
    active' '*) systemctl start "$1" ;;
    inactive*' active'|failed*' active') systemctl stop "$1" ;;
  esac || echo "installer: $1 was $3 and could not be made so"
}
`;
