/**
 * Helpers of scripts that lay fetched files down, behind those of the record. Where nothing was, the name of a file is noted in the
 * record of its artifact, before the first file is there; only what stands in the way gets an entry of its own (ops/record).
 */
export const laidFilesPrelude = `# $1 folder of an artifact's record: what it laid down where nothing was (laid), and where something was (kept)
lay_begin() {
  # In a folder of its own: a mark of the fetch before (compileSync) may come meanwhile, and is not of this one.
  [ -d "$1" ] || [ ! -d "$1.new" ] || mv "$1.new" "$1"
  mkdir -p "$1"
  rm -rf "$1.new" "$1.old"
  mkdir "$1.new"
  # Whoever knew no better laid down what the sums say.
  { cat "$1/laid" 2>/dev/null || sed 's/^[^ ]*  //' "$1/sums" 2>/dev/null || :; } >"$1.new/laid"
  [ ! -f "$1/kept" ] || cp "$1/kept" "$1.new/kept"
  for e in "$1.new"/*; do [ ! -s "$e" ] || fsync_path "$e"; done
  mv "$1" "$1.old"
  mv "$1.new" "$1"
  rm -rf "$1.old" 2>/dev/null || rm -rf "$1.old"
  L="
$(cat "$1/laid" "$1/kept" 2>/dev/null || :)
"
}
# $1 folder of the record, $2 path, $3 the file that will be there, where that is known
lay_over() {
  case $L in *"
$2
"*) [ -s "$1/kept" ] && grep -qxF -e "$2" "$1/kept" || return 0 ;;
  *) if [ ! -e "$2" ] && [ ! -L "$2" ]; then printf '%s\\n' "$2" >>"$1/laid.new"; return 0; fi ;;
  esac
  i=file$(printf '%s' "$2" | sed 's/%/%25/g; s/:/%3A/g; s|/|:|g')
  # In a shell of its own: whoever calls this has variables of the same names. A program may write into the same file, where it is
  # not known what will be there: then another name for it would not keep it.
  (before_file "$i" "$2" '' "\${3:+rename}") || exit 74
  if [ -n "\${3:-}" ]; then s=$(sha256sum <"$3") && before_wrote "$i" "\${s%% *}" || exit 74; fi
  grep -qxF -e "$2" "$1/kept" 2>/dev/null || printf '%s\\n' "$2" >>"$1/kept"
}
# $1 folder of the record: on the disk before the first file is
lay_end() {
  [ ! -s "$1/kept" ] || fsync_path "$1/kept"
  [ -s "$1/laid.new" ] || return 0
  cat "$1/laid" "$1/laid.new" >"$1/laid.all" && fsync_path "$1/laid.all" && mv "$1/laid.all" "$1/laid" && rm "$1/laid.new" && fsync_path "$1" || exit 74
}
`;
