/** The closing line of a bench for one goal: `NAME: FIGURE (goal GOAL) met|missed`. Returns whether it was met. */
export function reportGoal(name: string, figure: number, goal: number, unit: string): boolean {
  const isMet = figure <= goal;
  const shown = unit === '' ? figure.toFixed(2) : `${figure.toFixed(figure < 10 ? 2 : 0)} ${unit}`;
  process.stdout.write(
    `${name}: ${shown} (goal <= ${goal}${unit === '' ? '' : ` ${unit}`}) ${isMet ? 'met' : 'missed'}\n`,
  );
  return isMet;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}
