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
  readonly lockHolder: string | undefined;
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
    lockHolder: out
      .find(({ words }) => words[0] === 'L')
      ?.words.slice(1)
      .join(' '),
    complete: out.some(({ words }) => words[0] === 'Z'),
  };
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
