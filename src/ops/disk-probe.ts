import { secondsOfDd, withScratchFile } from './fsync-probe.ts';
import { commandQuery, type CommandQuery } from './query.ts';

/** So much is written at a time, and so often, unless the disk is too slow for it. */
const mebibytes = 16;
const pieces = 16;
const writeSeconds = 4;
const writes = 200;
const iopsSeconds = 2;

/**
 * Writes a file past the cache where images and containers will lie, piece by piece: what dd says of it stands behind
 * `throughput`. Then 4 KiB at random places of it, one after the other: what dd says of them stands behind `write`. The data is
 * random, for disks that pack it, and the pieces are copies of the first one in memory, for machines that make it slowly. `full`
 * alone where there is less than 1 GiB.
 */
export const diskQuery: CommandQuery = commandQuery(
  [
    '/bin/sh',
    '-c',
    withScratchFile(
      ['/var/lib/containerd', '/var/lib'],
      `free=$(df -Pk "$d" | awk 'NR == 2 { print $4 }')
[ "\${free:-0}" -gt 1048576 ] || { echo full; exit 0; }
LC_ALL=C; export LC_ALL
flag=direct
dd if=/dev/zero of="$f" bs=4k count=1 oflag=direct 2>/dev/null || flag=dsync
said() { tail -n 1 | sed "s/^/$1 /"; }
dd if=/dev/urandom of="$f" bs=1M count=${mebibytes} 2>/dev/null
now; end=$((u + ${writeSeconds})) i=1
while [ $i -lt ${pieces} ]; do
  now; [ "$u" -lt "$end" ] || break
  dd if="$f" of="$f" bs=1M count=${mebibytes} seek=$((i * ${mebibytes})) conv=notrunc oflag=$flag 2>&1 | said throughput
  i=$((i + 1))
done
blocks=$(($(stat -c %s "$f") / 4096))
now; end=$((u + ${iopsSeconds}))
for place in $(awk -v n="$blocks" 'BEGIN { srand(); for (i = 0; i < ${writes}; i++) print int(rand() * n) }'); do
  now; [ "$u" -lt "$end" ] || break
  dd if=/dev/zero of="$f" bs=4k count=1 seek="$place" conv=notrunc oflag=$flag 2>&1 | said write
done`,
    ),
  ],
  { timeoutSeconds: 20 },
);

export interface DiskSpeed {
  /** 10^6 bytes a second. */
  readonly megabytesPerSecond: number;
  /** Writes of 4 KiB a second, one after the other. */
  readonly iops: number;
}

/** There is less than 1 GiB: nothing was measured. */
export function isDiskFull(text: string): boolean {
  return text.trim() === 'full';
}

/** Undefined where nothing was measured. */
export function parseDiskSpeed(text: string): DiskSpeed | undefined {
  const lines = Map.groupBy(text.split('\n'), (line) => line.split(' ', 1)[0]);
  const megabytesPerSecond = parseRate((lines.get('throughput') ?? []).join('\n'));
  const times = secondsOfDd((lines.get('write') ?? []).join('\n'));
  if (megabytesPerSecond === undefined || times.length === 0) return undefined;
  return { megabytesPerSecond, iops: times.length / Math.max(sum(times), 1e-6) };
}

/** 10^6 bytes a second, of lines `N bytes (…) copied, S s, …`. */
export function parseRate(text: string): number | undefined {
  const bytes = [...text.matchAll(/(\d+) bytes .*copied/g)].map((match) => Number(match[1]));
  const seconds = sum(secondsOfDd(text));
  return bytes.length === 0 || seconds <= 0 ? undefined : sum(bytes) / seconds / 1e6;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
