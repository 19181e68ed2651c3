import { quote } from '../lib/quote.ts';
import { hostPaths } from './host-paths.ts';

/** Who has the lock of a host, as the host itself tells it. */
export interface LockHolder {
  /** What the holder wrote about itself; empty where it wrote nothing. */
  readonly what: string;
  /** The shell of its script; undefined where there is none any more, and one of its commands keeps the lock. */
  readonly pid: number | undefined;
  /** Since when it has the lock, in whole seconds before this was said. */
  readonly seconds: number | undefined;
}

/** Waits that are shorter are not worth a word. */
export const silentWaitSeconds = 3;

/**
 * Takes the host's lock; says after a few seconds who has it, and gives up with `lockedStatus` where it is not free in time.
 * Frames: `W PID SECONDS WHAT` while it waits, then `K` where it has it, or `L PID SECONDS WHAT` where it gives up; - for what is not
 * known.
 *
 * The file keeps what its holder says of itself and, in a second line, its process and the time since the start of the machine: clocks
 * may be set meanwhile.
 */
export function renderTakeLock(holder: string, timeoutSeconds: number, lockedStatus: number): string[] {
  const silent = Math.min(silentWaitSeconds, timeoutSeconds);
  const more = timeoutSeconds - silent;
  const giveUp = `{ tell_holder L; exit ${lockedStatus}; }`;
  return [
    `exec 9>>${hostPaths.lock} || exit 1`,
    'tell_holder() {',
    'h= p= s=',
    `{ read -r h; read -r p s; } <${hostPaths.lock}`,
    'uptime',
    // A file of an older version, or one that somebody wrote by hand.
    `case $s in ''|*[!0-9]*) s=- ;; *) s=$((\${U%%.*} - s)) ;; esac`,
    `case $p in ''|*[!0-9]*) p=- ;; *) [ -d "/proc/$p" ] || p=- ;; esac`,
    'frame "$1" "$p" "$s" "$h"',
    '}',
    more === 0
      ? `flock -w ${silent} 9 || ${giveUp}`
      : `flock -w ${silent} 9 || { tell_holder W; flock -w ${more} 9 && frame K; } || ${giveUp}`,
    'uptime',
    `printf '%s\\n%s %s\\n' ${quote(holder)} $$ "\${U%%.*}" >${hostPaths.lock}`,
  ];
}

/** Of the words behind the letter of the frame. */
export function parseLockHolder([pid = '', seconds = '', ...what]: readonly string[]): LockHolder {
  const numberOf = (word: string): number | undefined => (/^\d+$/.test(word) ? Number(word) : undefined);
  return { what: what.join(' '), pid: numberOf(pid), seconds: numberOf(seconds) };
}

/** `run 0a1b (install-runtime), process 812, since 2030-01-07T10:00:00Z`. `nowMs`: when the host said it. */
export function describeLockHolder({ what, pid, seconds }: LockHolder, nowMs: number): string {
  return [
    what === '' ? 'an unknown holder' : what,
    pid === undefined ? 'a command whose shell is gone' : `process ${pid}`,
    ...(seconds === undefined
      ? []
      : [`since ${new Date(nowMs - seconds * 1000).toISOString().replace(/\.\d+Z/, 'Z')}`]),
  ].join(', ');
}
