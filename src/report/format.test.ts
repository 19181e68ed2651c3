import { describe, expect, it } from 'vitest';
import {
  countOf,
  createPaint,
  formatBytes,
  formatClock,
  formatDuration,
  formatNames,
  formatTable,
  stripControls,
} from './format.ts';

describe('formatDuration', () => {
  it.each([
    [0, '0.0 s'],
    [420, '0.4 s'],
    [12_300, '12 s'],
    [9_999, '9.9 s'],
    [59_999, '59 s'],
    [123_000, '2m03s'],
    [3_599_999, '59m59s'],
    [3_725_000, '1h02m'],
  ])('%i ms is %s', (durationMs, text) => {
    expect(formatDuration(durationMs)).toBe(text);
  });
});

describe('formatClock', () => {
  it.each([
    [-5, '00:00'],
    [61_000, '01:01'],
    [7_384_000, '123:04'],
  ])('%i ms is %s', (elapsedMs, text) => {
    expect(formatClock(elapsedMs)).toBe(text);
  });
});

describe('formatBytes', () => {
  it.each([
    [0, '0 B'],
    [1023, '1023 B'],
    [1536, '1.5 KiB'],
    [28_311_552, '27 MiB'],
  ])('%i is %s', (sizeBytes, text) => {
    expect(formatBytes(sizeBytes)).toBe(text);
  });
});

describe('formatTable', () => {
  const rows = [
    ['ID', 'TITLE'],
    ['cpu', 'too few cores for a control plane'],
  ];

  it.each([
    ['wherever there is room', undefined, 'ID   TITLE\ncpu  too few cores for a control plane\n'],
    ['below itself', 26, 'ID   TITLE\ncpu  too few cores for a\n     control plane\n'],
    ['and not into single words', 20, 'ID   TITLE\ncpu  too few cores for a control plane\n'],
  ])('lets the last column go on %s', (_name, width, expected) => {
    expect(formatTable(rows, width)).toBe(expected);
  });
});

it('counts in words', () => {
  expect([0, 1, 2].map((count) => countOf(count, 'host'))).toEqual(['0 hosts', '1 host', '2 hosts']);
});

it('names a few and counts the rest', () => {
  expect(formatNames(['a', 'b'], 2)).toBe('a, b');
  expect(formatNames(['a', 'b', 'c', 'd'], 2)).toBe('a, b and 2 more');
});

it('takes colours, cursor movements and titles out of text from other machines', () => {
  expect(stripControls('\u001B[31mred\u001B[0m\u001B[2J\u001B]0;title\u0007 a\u0008\tb\r\nc')).toBe('red a\tb\nc');
});

it('paints only when colours are wanted', () => {
  expect(createPaint(false)('bad', 'text')).toBe('text');
  expect(createPaint(true)('bad', 'text')).toBe('\u001B[31mtext\u001B[39m');
});
