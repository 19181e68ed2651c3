/**
 * A unified diff of two texts with three lines of context; undefined `before` or `after` stands for a file that is not
 * there. Made for configuration files: the longest common subsequence costs lines x lines.
 */
export function renderDiff(before: string | undefined, after: string | undefined): string {
  const old = toLines(before);
  const next = toLines(after);
  const edits = diffLines(old, next);
  return renderHunks(edits, 3);
}

interface Edit {
  readonly mark: ' ' | '-' | '+';
  readonly line: string;
}

function toLines(text: string | undefined): string[] {
  if (text === undefined || text === '') return [];
  return (text.endsWith('\n') ? text.slice(0, -1) : text).split('\n');
}

function diffLines(old: readonly string[], next: readonly string[]): Edit[] {
  let head = 0;
  while (head < old.length && head < next.length && old[head] === next[head]) head += 1;
  let tail = 0;
  while (
    tail < old.length - head &&
    tail < next.length - head &&
    old[old.length - 1 - tail] === next[next.length - 1 - tail]
  )
    tail += 1;
  const keep = (line: string): Edit => ({ mark: ' ', line });
  return [
    ...old.slice(0, head).map(keep),
    ...diffMiddle(old.slice(head, old.length - tail), next.slice(head, next.length - tail)),
    ...old.slice(old.length - tail).map(keep),
  ];
}

function diffMiddle(old: readonly string[], next: readonly string[]): Edit[] {
  const width = next.length + 1;
  const lengths = new Uint32Array((old.length + 1) * width);
  const at = (i: number, j: number): number => lengths[i * width + j] ?? 0;
  for (let i = old.length - 1; i >= 0; i -= 1) {
    for (let j = next.length - 1; j >= 0; j -= 1) {
      lengths[i * width + j] = old[i] === next[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const edits: Edit[] = [];
  let i = 0;
  let j = 0;
  while (i < old.length || j < next.length) {
    const a = old[i];
    const b = next[j];
    if (a !== undefined && a === b) {
      edits.push({ mark: ' ', line: a });
      i += 1;
      j += 1;
    } else if (a !== undefined && (b === undefined || at(i + 1, j) >= at(i, j + 1))) {
      edits.push({ mark: '-', line: a });
      i += 1;
    } else if (b !== undefined) {
      edits.push({ mark: '+', line: b });
      j += 1;
    }
  }
  return edits;
}

/** Only what is near a change; a row of dots stands for what was left out. */
function renderHunks(edits: readonly Edit[], context: number): string {
  const near = edits.map((_, index) =>
    edits.slice(Math.max(0, index - context), index + context + 1).some((edit) => edit.mark !== ' '),
  );
  const lines: string[] = [];
  let skipped = false;
  for (const [index, edit] of edits.entries()) {
    if (near[index] !== true) {
      skipped = true;
      continue;
    }
    if (skipped) lines.push('@@');
    skipped = false;
    lines.push(`${edit.mark}${edit.line}`);
  }
  return lines.join('\n');
}
