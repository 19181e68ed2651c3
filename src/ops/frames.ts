import { parseLockHolder, type LockHolder } from './lock.ts';

/** What stood between the frames of one operation. */
export interface FrameContent {
  readonly stdout: string;
  readonly stderr: string;
  /** Undefined where the closing frame is missing: the script did not get there. */
  readonly exitCode: number | undefined;
  /** How long it took, in steps of 10 ms; undefined where it did not say. */
  readonly durationMs: number | undefined;
}

export interface ScriptOutput {
  /** By number of the action. */
  readonly actions: ReadonlyMap<number, FrameContent>;
  readonly queries: ReadonlyMap<number, FrameContent>;
  readonly generation: string | undefined;
  /** Who had the lock when the script gave up. */
  readonly lockHolder: LockHolder | undefined;
  /** The script ran to its last line. */
  readonly complete: boolean;
}

interface Piece {
  readonly words: readonly string[];
  readonly text: string;
}

/** Takes the frames of both streams apart. Noise before the first frame (a chatty profile) is dropped. */
export function parseFrames(stdout: string, stderr: string, nonce: string): ScriptOutput {
  const out = splitFrames(stdout, nonce);
  const err = splitFrames(stderr, nonce);
  return {
    actions: collect(out, err, 'A', 'a'),
    queries: collect(out, err, 'Q', 'q'),
    generation: out.find(({ words }) => words[0] === 'G')?.words[1],
    lockHolder: lockHolderOf(out, 'L'),
    complete: out.some(({ words }) => words[0] === 'Z'),
  };
}

export interface LockWatch {
  /** The script waits, and who has the lock. */
  readonly onWait: (holder: LockHolder) => void;
  /** It waited, and goes on. */
  readonly onTaken: () => void;
}

/** Takes the pieces of stdout as they come, and tells of the wait for the lock. */
export function watchLock(nonce: string, watch: LockWatch): (text: string) => void {
  const head = `\n${nonce} `;
  let text = '';
  let isWaiting = false;
  let isOver = false;
  return (piece) => {
    if (isOver) return;
    text += piece;
    // The last frame may not be whole yet, and of what is no frame only an end can become one.
    const pieces = splitFrames(text, nonce).filter((_, index, all) => index < all.length - 1 || text.endsWith('\n'));
    const holder = lockHolderOf(pieces, 'W');
    if (holder !== undefined && !isWaiting) {
      isWaiting = true;
      watch.onWait(holder);
    }
    if (pieces.some(({ words }) => words[0] !== 'W')) {
      isOver = true;
      if (isWaiting && pieces.some(({ words }) => words[0] === 'K')) watch.onTaken();
      text = '';
    } else if (!text.includes(head)) text = text.slice(-head.length);
  };
}

function lockHolderOf(pieces: readonly Piece[], letter: string): LockHolder | undefined {
  const found = pieces.find(({ words }) => words[0] === letter);
  return found === undefined ? undefined : parseLockHolder(found.words.slice(1));
}

function splitFrames(text: string, nonce: string): Piece[] {
  const pieces = text.split(`\n${nonce} `).slice(1);
  return pieces.map((piece) => {
    const end = piece.indexOf('\n');
    const head = end === -1 ? piece : piece.slice(0, end);
    return { words: head.split(' '), text: end === -1 ? '' : piece.slice(end + 1) };
  });
}

function collect(out: Piece[], err: Piece[], open: string, close: string): Map<number, FrameContent> {
  const found = new Map<number, FrameContent>();
  const closings = new Map<string | undefined, Piece>();
  for (const piece of out) if (piece.words[0] === close) closings.set(piece.words[1], piece);
  const starts = new Map<string | undefined, number>();
  for (const [place, { words }] of err.entries()) if (words[0] === open) starts.set(words[1], place);
  for (const piece of out) {
    if (piece.words[0] !== open) continue;
    const index = Number(piece.words[1]);
    const closing = closings.get(piece.words[1]);
    const start = starts.get(piece.words[1]) ?? -1;
    const times = err[start + 1]?.words[0] === 'T' ? err[start + 1]?.words : undefined;
    const stderrText =
      (start === -1 ? '' : (err[start]?.text ?? '')) + (times === undefined ? '' : (err[start + 1]?.text ?? ''));
    found.set(index, {
      stdout: piece.text,
      stderr: stderrText,
      exitCode: closing === undefined ? undefined : Number(closing.words[2]),
      durationMs: elapsedMs(times?.slice(1) ?? closing?.words.slice(3)),
    });
  }
  return found;
}

/** From two readings of /proc/uptime, in seconds. */
function elapsedMs(readings: readonly string[] | undefined): number | undefined {
  const [start, end] = (readings ?? []).map(Number);
  return start === undefined || end === undefined ? undefined : Math.round((end - start) * 1000);
}
