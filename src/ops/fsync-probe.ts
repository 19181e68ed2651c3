import { commandQuery, type CommandQuery } from './query.ts';

/** As many writes as a hundredth needs, and no longer than this whatever the disk. */
const writes = 100;
const seconds = 3;

/**
 * Small synchronous writes where etcd will keep its log, one after the other, each timed by dd itself: `… copied, 0.00123 s, …` a
 * line. 2300 bytes are what etcd writes at a time (etcd, "Hardware recommendations", by way of fio). The file is removed and the
 * date of its folder put back, also when the script is ended early.
 */
export const fsyncQuery: CommandQuery = commandQuery(
  [
    '/bin/sh',
    '-c',
    `d=/var/lib/etcd
[ -d "$d" ] || d=/var/lib
changed=$(stat -c %.9Y "$d") || exit 1
f=$(mktemp "$d/.installer-fsync-XXXXXX") || exit 1
trap 'rm -f "$f"; touch -m -d "@$changed" "$d"' EXIT
trap 'exit 1' TERM HUP INT
now() { read -r u _ </proc/uptime; u=\${u%.*}; }
now; end=$((u + ${seconds})) i=0
while [ $i -lt ${writes} ]; do
  now; [ "$u" -lt "$end" ] || break
  LC_ALL=C dd if=/dev/zero of="$f" bs=2300 count=1 seek=$i conv=notrunc oflag=dsync 2>&1 || exit 1
  i=$((i + 1))
done | grep -o 'copied, [0-9.e-]* s'
exit 0`,
  ],
  { timeoutSeconds: seconds + 5 },
);

/** Milliseconds of the slowest hundredth; undefined where nothing was measured. */
export function parseFsync(text: string): number | undefined {
  const times = [...text.matchAll(/copied, ([0-9.e-]+) s/g)].map((match) => Number(match[1]) * 1000);
  const sorted = times.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * 0.99) - 1)];
}
