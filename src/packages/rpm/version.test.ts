import { describe, expect, test } from 'vitest';
import { overlaps, type Capability, type Operator } from './capability.ts';
import { compareEvr, compareRpmVersions, formatEvr, parseEvr } from './version.ts';

describe("the order of rpm's versions", () => {
  test.each([
    ['1.0', '2.0'],
    ['2.0', '2.0.1'],
    ['2.0.1', '2.0.1a'],
    ['5.5p1', '5.5p2'],
    ['5.5p1', '5.5p10'],
    ['10xyz', '10.1xyz'],
    ['xyz10', 'xyz10.1'],
    ['xyz.4', '8'],
    ['xyz.4', '2'],
    ['5.5p2', '5.6p1'],
    ['5.6p1', '6.5p1'],
    ['6.0', '6.0.rc1'],
    ['10a2', '10b2'],
    ['1.0a', '1.0aa'],
    ['10.0001', '10.0039'],
    ['4.999.9', '5.0'],
    ['20101121', '20101122'],
    ['2a', '2.0'],
    ['1.fc4', '1.0'],
    // ~ before the end, ^ behind it.
    ['1.0~rc1', '1.0'],
    ['1.0~rc1', '1.0~rc2'],
    ['1.0~rc1~git123', '1.0~rc1'],
    ['1.0', '1.0^'],
    ['1.0^', '1.0^git1'],
    ['1.0^git1', '1.0^git2'],
    ['1.0^git1', '1.01'],
    ['1.0^20160101', '1.0.1'],
    ['1.0^20160101^git1', '1.0^20160102'],
    ['1.0~rc1^git1', '1.0~rc1^git2'],
    ['1.0~rc1', '1.0~rc1^git1'],
    ['1.0^git1~pre', '1.0^git1'],
  ])('%s is older than %s', (older, newer) => {
    expect(compareRpmVersions(older, newer)).toBeLessThan(0);
    expect(compareRpmVersions(newer, older)).toBeGreaterThan(0);
  });

  test.each([
    ['2_0', '2.0'],
    ['2.0', '2_0'],
    ['a', 'a+'],
    ['a+', 'a_'],
    ['+a', '_a'],
    ['1.05', '1.5'],
    ['10.0001', '10.1'],
    ['1.0~rc1', '1.0~rc1'],
    ['1.0^', '1.0^'],
  ])('%s is as %s', (a, b) => {
    expect(compareRpmVersions(a, b)).toBe(0);
    expect(compareRpmVersions(b, a)).toBe(0);
  });

  test('epochs count first, releases last, and only where both have one', () => {
    const order = (a: string, b: string): number => Math.sign(compareEvr(parseEvr(a), parseEvr(b)));
    expect(order('9-1', '1:1-1')).toBe(-1);
    expect(order('1-1', '0:1-1')).toBe(0);
    expect(order('1-1.el9', '1-2.el9')).toBe(-1);
    expect(order('1-1.el9', '1')).toBe(0);
    expect(formatEvr(parseEvr('1:2.3-4.el9'))).toBe('1:2.3-4.el9');
    expect(formatEvr(parseEvr('0:2.3'))).toBe('2.3');
  });
});

describe('what is provided satisfies what is required', () => {
  const capability = (text: string): Capability => {
    const [name = '', operator, version = ''] = text.split(' ');
    return operator === undefined ? { name } : { name, operator: operator as Operator, evr: parseEvr(version) };
  };
  test.each([
    ['x', 'x', true],
    ['x EQ 1', 'x', true],
    ['x', 'x GE 5', true],
    ['x EQ 2-1', 'x GE 2', true],
    ['x EQ 2-1', 'x EQ 2', true],
    ['x EQ 2-1', 'x EQ 2-2', false],
    ['x EQ 1', 'x GT 1', false],
    ['x EQ 1', 'x LT 1', false],
    ['x EQ 1', 'x LE 1', true],
    ['x EQ 3', 'x LT 2', false],
    ['x GE 3', 'x LT 2', false],
    ['x GE 1', 'x LT 2', true],
    ['x LT 2', 'x GE 2', false],
    ['x LT 2', 'x LT 1', true],
    ['x GT 2', 'x GT 2', true],
  ])('%s for %s: %s', (provided, required, expected) => {
    expect(overlaps(capability(provided), capability(required))).toBe(expected);
  });
});
