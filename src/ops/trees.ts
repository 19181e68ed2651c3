import { quote } from '../lib/quote.ts';
import { hostPaths } from './host-paths.ts';

/**
 * Helpers in sh that take away what programs keep in folders of their own, and nothing besides: what is mounted there by somebody
 * else stays as it is with all in it, the folders that lead there stay, too, and so does what was there before the installer (entry
 * `folders` of ops/record). A folder that is a mount point, or a link to a folder, is emptied and stays.
 */
export const treesPrelude = `B=${hostPaths.before}
# Mount points, each in a line, with an empty line before the first. The kernel writes blanks, tabs and backslashes as numbers.
list_mounts() { M="
$(cut -d ' ' -f 5 </proc/self/mountinfo | sed 's/\\\\040/ /g; s/\\\\011/\\t/g; s/\\\\134/\\\\/g')
"; }
# $1 path without links
is_mount() { case $M in *"
$1
"*) return 0;; esac; return 1; }
# $1 path without links: whether it or anything below it is a mount point
has_mounts() { case $M in *"
$1
"* | *"
$1/"*) return 0;; esac; return 1; }
# $1 mount point: there by fstab or by a unit, and not because a program called mount
is_users_mount() {
  while read -r _ m _; do [ "$m" != "$1" ] || return 0; done </etc/fstab
  u=$(systemd-escape --path --suffix=mount "$1") && u=$(systemctl show -p FragmentPath "$u") || return 1
  [ "\${u#FragmentPath=}" != '' ]
}
# $1 start of the paths
unmount_all() {
  printf '%s' "$M" | sort -r | while read -r t; do
    case $t in "$1"?*) is_users_mount "$t" || umount "$t" || exit 1;; esac
  done || exit 1
}
# $1 path: what is known of it from before, mode and owner in T
was_there() {
  T=
  [ -f "$B/folders/entry" ] || return 1
  while read -r l; do case $l in there=*" $1") T=\${l#there=}; return 0;; esac; done <"$B/folders/entry"
  return 1
}
# $1 line
in_record() { grep -qxF -e "$1" "$B/folders/entry" 2>/dev/null; }
# $1 path, $2 the same without links
clear_inside() {
  for c in "$2"/* "$2"/.[!.]* "$2"/..?*; do
    [ -e "$c" ] || [ -L "$c" ] || continue
    if is_mount "$c" || in_record "whole=$1/\${c##*/}"; then continue; fi
    if in_record "keep=$1/\${c##*/}"; then
      if [ -d "$c" ] && [ ! -L "$c" ]; then clear_inside "$1/\${c##*/}" "$c"; fi
      continue
    fi
    if [ "\${c##*/}" = lost+found ] && is_mount "$2"; then continue; fi
    clear_tree "$c"
  done
  return 0
}
# $1 path without links
clear_tree() {
  if has_mounts "$1"; then clear_inside "$1" "$1"
  elif [ -n "\${LOOK:-}" ]; then LEFT=yes
  else rm -rf --one-file-system -- "$1" || BAD=yes
  fi
}
# $1 path
clear_folder() {
  [ -e "$1" ] || [ -L "$1" ] || return 0
  r=$(readlink -f "$1") || return 1
  if was_there "$1"; then
    [ -d "$1" ] || return 0
    clear_inside "$1" "$r"
    [ -n "\${LOOK:-}" ] || { chmod "\${T%% *}" "$1"; T=\${T#* }; chown "\${T%% *}" "$1"; }
  elif { [ -L "$1" ] && [ -d "$1" ]; } || is_mount "$r"; then clear_inside "$1" "$r"
  elif [ -L "$1" ]; then if [ -n "\${LOOK:-}" ]; then LEFT=yes; else rm -f "$1" || BAD=yes; fi
  else clear_tree "$r"
  fi
}
# $1 path: where it is empty and was not there before
clear_empty() {
  [ -d "$1" ] && ! was_there "$1" || return 0
  find "$1" -xdev -depth -type d -empty -delete 2>/dev/null || :
}
`;

/** Commands for a script that has the helpers. */
export function compileClear(paths: readonly string[]): string {
  const all = paths.map((path) => `clear_folder ${quote(path)}`);
  return ['BAD=', 'list_mounts', ...all, '[ -z "$BAD" ]'].join('\n');
}

export function compileUnmount(prefixes: readonly string[]): string {
  return ['list_mounts', ...prefixes.map((prefix) => `unmount_all ${quote(prefix)}`)].join('\n');
}

export function compileClearEmpty(paths: readonly string[]): string {
  return paths.map((path) => `clear_empty ${quote(path)}`).join('\n');
}

/** Prints `left=PATH` for folders with something in them that would be taken away, and `mounted=PATH` for what is mounted below them. */
export function compileTreesQuery(paths: readonly string[]): string {
  const look = paths.map((path) => {
    const word = quote(path);
    return `LEFT=; clear_folder ${word} || exit 1; if [ -n "$LEFT" ]; then printf 'left=%s\\n' ${word}; fi
r=$(readlink -f ${word} || :); printf '%s' "$M" | while read -r t; do case $t in "$r"/?*) printf 'mounted=%s\\n' "$t";; esac; done`;
  });
  return [treesPrelude, 'LOOK=yes', 'list_mounts', ...look, 'exit 0'].join('\n');
}

export interface TreesSeen {
  /** Folders with something in them that is nobody else's. */
  readonly left: readonly string[];
  /** Mount points below any of the folders. */
  readonly mounted: readonly string[];
}

export function parseTrees(stdout: string): TreesSeen {
  const values = (key: string): string[] =>
    stdout.split('\n').flatMap((line) => (line.startsWith(`${key}=`) ? [line.slice(key.length + 1)] : []));
  return { left: values('left'), mounted: values('mounted') };
}
