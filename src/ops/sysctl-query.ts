import { commandQuery } from './query.ts';

/**
 * Kernel parameters in the files of a host that are read at boot: lines `FILE:key = value`. Of files with the same name the one in
 * the first of the folders counts, also where it is empty or a link to /dev/null (sysctl.d(5)).
 */
export const sysctlFilesQuery = commandQuery([
  '/bin/sh',
  '-c',
  `set --
for d in /etc /run /usr/local/lib /usr/lib /lib; do
for f in "$d"/sysctl.d/*.conf; do
case " $names " in *" \${f##*/} "*) continue;; esac
if [ -e "$f" ]; then names="$names \${f##*/}"; set -- "$@" "$f"; fi
done; done
grep -Hs "^[^#;]*=" /etc/sysctl.conf "$@"
exit 0`,
]);
