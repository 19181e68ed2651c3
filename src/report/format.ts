import { styleText } from 'node:util';
import { inBinaryUnits } from '../lib/size.ts';

const secondMs = 1000;
const minuteMs = 60 * secondMs;
const hourMs = 60 * minuteMs;

/** Text for people, rounded down: `0.4 s`, `12 s`, `2m03s`, `1h02m`. */
export function formatDuration(durationMs: number): string {
  if (durationMs < 10 * secondMs) return `${(Math.floor(durationMs / 100) / 10).toFixed(1)} s`;
  if (durationMs < minuteMs) return `${Math.floor(durationMs / secondMs)} s`;
  if (durationMs < hourMs)
    return `${Math.floor(durationMs / minuteMs)}m${pad(Math.floor(durationMs / secondMs) % 60)}s`;
  return `${Math.floor(durationMs / hourMs)}h${pad(Math.floor(durationMs / minuteMs) % 60)}m`;
}

/** Time since the start as `mm:ss`; the minutes grow past 99. */
export function formatClock(elapsedMs: number): string {
  const seconds = Math.max(0, Math.floor(elapsedMs / secondMs));
  return `${pad(Math.floor(seconds / 60))}:${pad(seconds % 60)}`;
}

/** `1 host`, `2 hosts`. */
export function countOf(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** Size in binary units: `512 B`, `1.5 KiB`, `27 MiB`. */
export function formatBytes(sizeBytes: number): string {
  const { value, unit } = inBinaryUnits(sizeBytes);
  return `${unit === 'B' || value >= 10 ? Math.round(value) : value.toFixed(1)} ${unit}`;
}

/** At most `limit` names, then how many more there are. */
export function formatNames(names: readonly string[], limit = 5): string {
  if (names.length <= limit) return names.join(', ');
  return `${names.slice(0, limit).join(', ')} and ${names.length - limit} more`;
}

/**
 * Rows in columns, two spaces between them. The last column is as wide as it is, or goes on below itself where a terminal of
 * `width` columns has no more room; a terminal too narrow for that is left to break the lines.
 */
export function formatTable(rows: readonly (readonly string[])[], width = Number.POSITIVE_INFINITY): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  const before = widths.slice(0, -1).reduce((sum, wide) => sum + wide + 2, 0);
  const room = width - before;
  const lines = rows.flatMap((row) => {
    const [first = '', ...rest] = room < leastRoom ? [row.at(-1) ?? ''] : wrap(row.at(-1) ?? '', room);
    const head = row.slice(0, -1).map((cell, column) => cell.padEnd(widths[column] ?? 0));
    return [[...head, first].join('  '), ...rest.map((line) => ' '.repeat(before) + line)];
  });
  return lines.map((line) => `${line.trimEnd()}\n`).join('');
}

/** Less than that and a column of text is a column of words. */
const leastRoom = 20;

/** Lines of at most `width` characters, broken between words. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}

export function indent(text: string, prefix: string): string {
  return text.replace(/^(?=.)/gm, prefix);
}

/**
 * Text that other machines sent, made safe for a terminal: colours, cursor movements and other control characters
 * must not reach it. Line feeds and tabs stay.
 */
export function stripControls(text: string): string {
  // eslint-disable-next-line no-control-regex -- control characters are what is looked for
  const sequences = /\u001B(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001B]*(?:\u0007|\u001B\\)|[@-Z\\-_])/g;
  // eslint-disable-next-line no-control-regex -- control characters are what is looked for
  const controls = /[\u0000-\u0008\u000B-\u001F\u007F-\u009F]/g;
  return text.replace(sequences, '').replaceAll('\r\n', '\n').replace(controls, '');
}

export type Tone = 'good' | 'bad' | 'warn' | 'dim' | 'strong' | 'added' | 'removed';
export type Paint = (tone: Tone, text: string) => string;

const styles = {
  good: 'green',
  bad: 'red',
  warn: 'yellow',
  dim: 'dim',
  strong: 'bold',
  added: 'green',
  removed: 'red',
} as const satisfies Record<Tone, string>;

/** The one place that makes colours; without colours the text comes back as it is. */
export function createPaint(colour: boolean): Paint {
  if (!colour) return (_tone, text) => text;
  return (tone, text) => styleText(styles[tone], text, { validateStream: false });
}

function pad(value: number): string {
  return String(value).padStart(2, '0');
}
