const mark = '#installer-swap# ';

/** Comments the swap entries of an fstab(5) out, so that a mark tells them from the user's own comments. */
export function commentSwapEntries(content: string): string {
  return content
    .split('\n')
    .map((line) => (isSwapEntry(line) ? `${mark}${line}` : line))
    .join('\n');
}

/** Takes the marks away again. */
export function restoreSwapEntries(content: string): string {
  return content
    .split('\n')
    .map((line) => (line.startsWith(mark) ? line.slice(mark.length) : line))
    .join('\n');
}

/** The entries that are in force, blanks in them single. */
export function swapEntriesOf(content: string): string[] {
  return content
    .split('\n')
    .filter(isSwapEntry)
    .map((line) => line.trim().replaceAll(/\s+/g, ' '));
}

/** Fields: device, mount point, type, options, dump, pass. */
function isSwapEntry(line: string): boolean {
  const fields = line.trim().split(/\s+/);
  return fields.length >= 3 && !line.trim().startsWith('#') && fields[2] === 'swap';
}
