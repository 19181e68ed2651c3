import { secondsOfDd, withScratchFile } from './fsync-probe.ts';
import { commandQuery, type CommandQuery } from './query.ts';

/** So much is written, unless the disk is too slow for it. */
const mebibytes = 256;
const writeSeconds = 4;
const writes = 200;
const iopsSeconds = 2;

/**
 * Writes a file past the cache where images and containers will lie, as fast as it can: what dd says of it stands behind
 * `throughput`. Then 4 KiB at random places of it, one after the other: what dd says of them stands behind `write`. The data is
 * random, for disks that pack it. `full` alone where there is less than 1 GiB.
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
block=$(head -c 786432 /dev/urandom | base64 -w 0)
said=$(while printf %s "$block"; do :; done 2>/dev/null | timeout -s INT -k 2 ${writeSeconds} dd of="$f" bs=1M count=${mebibytes} iflag=fullblock oflag=$flag 2>&1 | tail -n 1)
echo "throughput $said"
blocks=$(($(stat -c %s "$f") / 4096))
now; end=$((u + ${iopsSeconds}))
for place in $(awk -v n="$blocks" 'BEGIN { srand(); for (i = 0; i < ${writes}; i++) print int(rand() * n) }'); do
  now; [ "$u" -lt "$end" ] || break
  echo "write $(dd if=/dev/zero of="$f" bs=4k count=1 seek="$place" conv=notrunc oflag=$flag 2>&1 | tail -n 1)"
done`,
    ),
  ],
  { timeoutSeconds: writeSeconds + iopsSeconds + 6 },
);

export interface DiskSpeed {
  /** 10^6 bytes a second. */
  readonly megabytesPerSecond: number;
  /** Writes of 4 KiB a second, one after the other. */
  readonly iops: number;
}

/** Undefined where nothing was measured. */
export function parseDiskSpeed(text: string): DiskSpeed | undefined {
  const megabytesPerSecond = parseRate(/^throughput (.*)$/m.exec(text)?.[1] ?? '');
  const times = secondsOfDd(text.replace(/^throughput .*$/m, ''));
  if (megabytesPerSecond === undefined || times.length === 0) return undefined;
  const total = times.reduce((sum, value) => sum + value, 0);
  return { megabytesPerSecond, iops: times.length / Math.max(total, 1e-6) };
}

/** 10^6 bytes a second, of `N bytes (…) copied, S s, …`. */
export function parseRate(text: string): number | undefined {
  const bytes = /(\d+) bytes/.exec(text)?.[1];
  const [seconds = 0] = secondsOfDd(text);
  return bytes === undefined || seconds <= 0 ? undefined : Number(bytes) / seconds / 1e6;
}
