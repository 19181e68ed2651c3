import { commandQuery, type CommandQuery } from './query.ts';

/** Two questions by ARP fit in, which the kernel sends a second apart. */
const tries = 13;

/**
 * Who on the segment answers for an address: a packet to it has the kernel ask by ARP, and the line of `ip neigh` tells. Words
 * in its place: `local`, an address of the host; `routed`, on another segment; `unreachable`, no route to it; `unasked`, with
 * nothing to send a packet by.
 */
export function neighbourQuery(address: string): CommandQuery {
  return commandQuery(
    [
      '/bin/sh',
      '-c',
      `r=$(ip -o -4 route get "$1" 2>/dev/null) || { echo unreachable; exit 0; }
case $r in local*) echo local; exit 0 ;; *' via '*) echo routed; exit 0 ;; esac
# What was learned before may be over; only root can have it forgotten.
ip neigh flush to "$1" 2>/dev/null
if command -v bash >/dev/null; then bash -c 'echo >"/dev/udp/$1/9"' sh "$1" 2>/dev/null
elif command -v ping >/dev/null; then ping -c 1 -W 1 "$1" >/dev/null
else echo unasked; exit 0; fi
i=0
while [ $i -lt ${tries} ]; do
  n=$(ip -4 neigh show to "$1")
  case $n in *REACHABLE* | *PERMANENT*) break ;; esac
  i=$((i + 1)); sleep 0.1
done
printf '%s\\n' "$n"`,
      'sh',
      address,
    ],
    { timeoutSeconds: 8 },
  );
}

export interface Neighbour {
  /** The line, or the word. */
  readonly line: string;
  /** Who answers; undefined for nobody. */
  readonly mac: string | undefined;
  /** False where it answered before, and may be gone by now. */
  readonly isSure: boolean;
}

export function parseNeighbour(text: string): Neighbour {
  const line = text.trim().split('\n')[0] ?? '';
  const mac = /\blladdr ([0-9a-f:]+)/.exec(line)?.[1];
  const isGone = /\b(FAILED|INCOMPLETE)\b/.test(line);
  return { line, mac: isGone ? undefined : mac, isSure: /\b(REACHABLE|PERMANENT)\b/.test(line) };
}
