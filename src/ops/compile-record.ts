import { quote, quoteArgv } from '../lib/quote.ts';
import type { Action, RecordAction, RecordedFile } from './action.ts';
import { hostPaths } from './host-paths.ts';
import { packagesPrelude } from './packages-prelude.ts';
import {
  fileEntryId,
  foldersEntryId,
  moduleEntryId,
  removedPackagesEntryId,
  swapEntryId,
  unitEntryId,
  valueEntryId,
} from './record.ts';
import type { RecordQuery } from './query.ts';
import { absentStatus } from './status.ts';

/**
 * Helpers of scripts that keep or undo a record. An entry is made beside the others, synced, and renamed: it is there as a whole
 * or not at all. Where one is there already, it stays as it is.
 */
export const recordPrelude = `B=${hostPaths.before}
# $1 id, $2 kind
before_begin() {
  (umask 077; rm -rf "$B/.new" "$B/$1"; mkdir -p "$B/.new") || exit 74
  n=0
  for e in "$B"/*/entry; do
    [ -f "$e" ] || continue
    read -r o <"$e"
    o=\${o#order=}
    [ "$o" -le "$n" ] || n=$o
  done
  printf 'order=%s\\nkind=%s\\n' $((n + 1)) "$2" >"$B/.new/entry" || exit 74
}
# $1 id
before_end() {
  for e in "$B/.new"/*; do fsync_path "$e" || exit 74; done
  fsync_path "$B/.new" && mv -T "$B/.new" "$B/$1" && fsync_path "$B" || exit 74
}
# $1 path
file_state() {
  if [ -L "$1" ]; then printf 'link %s\\n' "$(readlink "$1")"
  elif [ -f "$1" ]; then s=$(sha256sum <"$1") || return 1; printf 'file %s %s\\n' "\${s%% *}" "$(stat -c '%a %u:%g' "$1")"
  elif [ -e "$1" ]; then echo other
  else echo absent
  fi
}
# $1 id, $2 path, $3 more lines, $4 where given: the file is replaced by rename, so a second name for it keeps it
before_file() {
  [ ! -f "$B/$1/entry" ] || return 0
  w=$(file_state "$2") || exit 74
  case $w in other) echo "$2 is neither a file nor a link" >&2; exit 74;; esac
  before_begin "$1" file
  case $w in file*) { [ -n "\${4:-}" ] && ln "$2" "$B/.new/content" 2>/dev/null; } || cp -a "$2" "$B/.new/content" || exit 74;; esac
  {
    printf 'path=%s\\nwas=%s\\n' "$2" "$w"
    f=\${2%/*}
    while [ -n "$f" ] && [ ! -e "$f" ]; do printf 'folder=%s\\n' "$f"; f=\${f%/*}; done
    printf '%s' "$3"
  } >>"$B/.new/entry" || exit 74
  before_end "$1"
}
# $1 path: the choice, of files of the form "always [madvise] never"
value_of() {
  v=$(cat "$1" 2>/dev/null) || return 1
  case $v in *\\[*\\]*) v=\${v#*[}; v=\${v%%]*};; esac
  printf '%s\\n' "$v" | tr '\\t\\n' '  ' | sed 's/ *$//'
}
# $1 id, $2 path
before_value() {
  [ ! -f "$B/$1/entry" ] || return 0
  w=$(value_of "$2") || { echo "$2 is not there" >&2; exit 74; }
  before_begin "$1" value
  printf 'path=%s\\nwas=%s\\n' "$2" "$w" >>"$B/.new/entry" || exit 74
  before_end "$1"
}
unit_state() { printf '%s %s\\n' "$(systemctl is-enabled "$1" 2>/dev/null | grep -v ' ' || :)" "$(systemctl is-active "$1" 2>/dev/null || :)"; }
# $1 id, $2 unit
before_unit() {
  [ ! -f "$B/$1/entry" ] || return 0
  before_begin "$1" unit
  printf 'unit=%s\\nwas=%s\\n' "$2" "$(unit_state "$2")" >>"$B/.new/entry" || exit 74
  before_end "$1"
}
# $1 id, $2 module
before_module() {
  [ ! -f "$B/$1/entry" ] || return 0
  before_begin "$1" module
  printf 'module=%s\\n' "$2" >>"$B/.new/entry" || exit 74
  before_end "$1"
}
# paths: what the folders hold before programs of a cluster write there
before_folders() {
  [ ! -f "$B/${foldersEntryId}/entry" ] || return 0
  before_begin ${foldersEntryId} folders
  for p; do
    [ -d "$p" ] || continue
    printf 'there=%s %s\\n' "$(stat -L -c '%a %u:%g' "$p")" "$p"
    # Of a large folder, or of one with names that no line holds, the top alone: what is in it stays as a whole.
    if [ "$(find "$p/" -xdev | head -n 5001 | wc -l)" -gt 5000 ] || [ -n "$(find "$p/" -xdev -name '*
*' | head -n 1)" ]; then
      for c in "$p"/* "$p"/.[!.]* "$p"/..?*; do
        if [ -e "$c" ] || [ -L "$c" ]; then printf 'whole=%s\\n' "$c"; fi
      done
    else find "$p/" -xdev -mindepth 1 | sed "s|^$p//*|keep=$p/|"
    fi
  done >>"$B/.new/entry" || exit 74
  before_end ${foldersEntryId}
}
# $1 id: devices that were turned on since the first run are added
before_swap() {
  [ -f "$B/$1/entry" ] || { before_begin "$1" swap; before_end "$1"; }
  cp "$B/$1/entry" "$B/$1/entry.new" || exit 74
  sed '1d' /proc/swaps | while read -r d _ _ _ p; do
    grep -qF -e "device=$d " "$B/$1/entry" || printf 'device=%s %s\\n' "$d" "$p"
  done >>"$B/$1/entry.new" && fsync_path "$B/$1/entry.new" && mv "$B/$1/entry.new" "$B/$1/entry" && fsync_path "$B/$1" || exit 74
}
# $1 device or file: whether mkswap made it ready
swap_area() {
  k=$(getconf PAGESIZE 2>/dev/null) || k=4096
  [ "$(dd if="$1" bs=1 skip=$((k - 10)) count=10 2>/dev/null)" = SWAPSPACE2 ]
}
# $1 id, $2 what the installer is about to write
before_wrote() {
  ! grep -qxF -e "$2" "$B/$1/written" 2>/dev/null || return 0
  printf '%s\\n' "$2" >>"$B/$1/written" && fsync_path "$B/$1/written" && fsync_path "$B/$1" || exit 74
}
`;

/** Keeps what a path is before it is written; `variable` holds the path, `digest` the shell word of what will be there. */
export function recordFile(path: string, record: RecordedFile, pathWord: string, digest: string): string[] {
  const id = quote(fileEntryId(path));
  const more = (record.after ?? []).map((argv) => `after=${JSON.stringify(argv)}\n`).join('');
  return [`before_file ${id} ${pathWord} ${quote(more)}`, `before_wrote ${id} ${digest}`];
}

export function recordValue(path: string, value: string): string {
  const id = quote(valueEntryId(path));
  return `before_value ${id} ${quote(path)}\nbefore_wrote ${id} ${quote(value)}`;
}

export function compileRecord(action: RecordAction): string {
  const { thing } = action;
  if (thing.kind === 'swap') return `before_swap ${swapEntryId}`;
  if (thing.kind === 'folders') return `before_folders ${thing.paths.map(quote).join(' ')}`;
  if (thing.kind === 'module') return `before_module ${quote(moduleEntryId(thing.module))} ${quote(thing.module)}`;
  if (thing.kind === 'file') {
    const path = quote(thing.path);
    if (thing.when === 'before') return recordFile(thing.path, thing.record, path, '')[0] ?? '';
    const written = 's=$(file_state "$p"); case $s in file*) s=${s#file }; s=${s%% *};; esac';
    return `p=${path}\n${written}\nbefore_wrote ${quote(fileEntryId(thing.path))} "$s"`;
  }
  const id = quote(unitEntryId(thing.unit));
  const { enablement, activity } = thing.becomes;
  return `before_unit ${id} ${quote(thing.unit)}\nbefore_wrote ${id} ${quote(`${enablement} ${activity}`)}`;
}

/** Puts the file of an entry back as it was, with mode, owner and dates; folders made for it go where they are empty. */
export function compileRestoreFile(entry: string): string {
  return [
    `d="$B"/${quote(entry)}`,
    `p=$(sed -n 's/^path=//p' "$d/entry"); w=$(sed -n 's/^was=//p' "$d/entry")`,
    'case $w in',
    '  absent)',
    '    rm -f "$p"',
    `    sed -n 's/^folder=//p' "$d/entry" | while read -r f; do rmdir "$f" 2>/dev/null || :; done ;;`,
    '  link*) ln -s "${w#link }" "$p.installer-new"; mv -fT "$p.installer-new" "$p" ;;',
    '  file*)',
    '    mkdir -p "${p%/*}"',
    '    cp -a "$d/content" "$p.installer-new"; fsync_path "$p.installer-new"',
    '    mv -fT "$p.installer-new" "$p" 2>/dev/null || { cat "$p.installer-new" >"$p"; rm -f "$p.installer-new"; } ;;',
    '  *) echo "cannot read $d/entry" >&2; exit 1 ;;',
    'esac',
    '[ ! -d "${p%/*}" ] || fsync_path "${p%/*}/"',
  ].join('\n');
}

/** The entry's own file goes first: what is left of the folder is no entry. */
export function compileForget(entry: string): string {
  return `rm -f "$B"/${quote(entry)}/entry; fsync_path "$B"; rm -rf "$B"/${quote(entry)}; rmdir "$B" 2>/dev/null || :`;
}

export function keepsRecord(action: Action): boolean {
  switch (action.kind) {
    case 'write-file':
    case 'remove':
      return action.record !== undefined;
    case 'record':
    case 'link':
    case 'kernel-values':
    case 'restore-file':
    case 'forget':
    case 'fetch':
      return true;
    default:
      return false;
  }
}

/** Prints every entry with the state of its thing now; ops/record parses it. */
export function compileRecordQuery(query: RecordQuery): string {
  return `[ -d ${hostPaths.before} ] || exit ${absentStatus}
${recordPrelude}${packagesPrelude(query.packages)}for d in "$B"/*; do
  [ -f "$d/entry" ] || continue
  printf 'entry=%s\\n' "\${d##*/}"
  cat "$d/entry" || exit 1
  if [ -f "$d/written" ]; then sed 's/^/written=/' "$d/written"; fi
  p=$(sed -n 's/^path=//p' "$d/entry")
  case \${d##*/} in
    file:*) printf 'now=%s\\n' "$(file_state "$p")" ;;
    value:*) if v=$(value_of "$p"); then printf 'now=%s\\n' "$v"; fi ;;
    unit:*) u=$(sed -n 's/^unit=//p' "$d/entry"); printf 'now=%s\\n' "$(unit_state "$u")" ;;
    module:*)
      m=/sys/module/$(sed -n 's/^module=//p' "$d/entry" | tr - _)
      if [ -f "$m/initstate" ]; then printf 'uses=%s\\n' "$(cat "$m/refcnt" 2>/dev/null || echo 1)"; for h in "$m"/holders/*; do
        if [ -e "$h" ]; then printf 'holder=%s\\n' "\${h##*/}"; fi; done; fi ;;
    swap)
      sed '1d' /proc/swaps | while read -r s _; do printf 'active=%s\\n' "$s"; done
      sed -n 's/^device=\\(.*\\) [^ ]*$/\\1/p' "$d/entry" | while read -r s; do if swap_area "$s"; then printf 'there=%s\\n' "$s"; fi; done ;;
    packages)
      a=$(packages_now) || exit 1
      a=$(packages_added | sort -u | packages_among "$a")
      if [ -n "$a" ]; then
        printf 'added=%s\\n' $a
        o=$(${quoteArgv(query.packages.tryRemoval)} $a 2>&1) || printf '%s\\n' "$o" | sed 's/^/objection=/'
      fi ;;
    ${removedPackagesEntryId})
      a=$(packages_whole) || exit 1
      removed_names | packages_among "$a" | sed 's/^/there=/'
      if [ -f "$d/returning" ]; then sed 's/^/returning=/' "$d/returning"; fi ;;
  esac
done
exit 0`;
}
