import { commandQuery, type CommandQuery } from './query.ts';

/** As many writes as a hundredth needs, and no longer than this whatever the disk. */
const writes = 100;
const seconds = 3;

/** Runs `body` with a file `$f` to write to in the first of the folders that is there; the file is removed and the date of its
 * folder put back, also when the script is ended early. */
export function withScratchFile(folders: readonly string[], body: string): string {
  return `for d in ${folders.join(' ')}; do [ ! -d "$d" ] || break; done
changed=$(stat -c %.9Y "$d") || exit 1
f=$(mktemp "$d/.installer-probe-XXXXXX") || exit 1
trap 'rm -f "$f"; touch -m -d "@$changed" "$d"' EXIT
trap 'exit 1' TERM HUP INT
now() { read -r u _ </proc/uptime; u=\${u%.*}; }
${body}
exit 0`;
}

/**
 * Small synchronous writes where etcd will keep its log, one after the other, each timed by dd itself: `… copied, 0.00123 s, …` a
 * line. 2300 bytes are what etcd writes at a time (etcd, "Hardware recommendations", by way of fio).
 */
export const fsyncQuery: CommandQuery = commandQuery(
  [
    '/bin/sh',
    '-c',
    withScratchFile(
      ['/var/lib/etcd', '/var/lib'],
      `now; end=$((u + ${seconds})) i=0
while [ $i -lt ${writes} ]; do
  now; [ "$u" -lt "$end" ] || break
  LC_ALL=C dd if=/dev/zero of="$f" bs=2300 count=1 seek=$i conv=notrunc oflag=dsync 2>&1 || exit 1
  i=$((i + 1))
done | grep -o 'copied, [0-9.e-]* s'`,
    ),
  ],
  { timeoutSeconds: seconds + 5 },
);

/** Milliseconds of the slowest hundredth; undefined where nothing was measured. */
export function parseFsync(text: string): number | undefined {
  const sorted = secondsOfDd(text)
    .map((value) => value * 1000)
    .toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * 0.99) - 1)];
}

/** What each dd says that it took. */
export function secondsOfDd(text: string): number[] {
  return [...text.matchAll(/copied, ([0-9.e-]+) s/g)].map((match) => Number(match[1]));
}
