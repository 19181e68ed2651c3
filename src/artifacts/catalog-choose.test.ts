import { describe, expect, it } from 'vitest';
import { compareVersions } from './catalog-choose.ts';

describe('compareVersions', () => {
  it.each([
    ['1.9', '1.10'],
    ['v1.36.2', 'v1.36.10'],
    ['1.36', '1.36.1'],
    ['v1.36.9', '1.37.0'],
    ['v1.36.0-alpha.3', 'v1.36.0-beta.0'],
    ['v1.36.0-rc.2', 'v1.36.0-rc.10'],
    ['v1.36.0-rc.1', 'v1.36.0'],
    ['v1.36.0-rc', 'v1.36.0-rc.1'],
    ['v1.36.0-1', 'v1.36.0-a'],
  ])('%s is older than %s', (older, newer) => {
    expect(Math.sign(compareVersions(older, newer))).toBe(-1);
    expect(Math.sign(compareVersions(newer, older))).toBe(1);
  });

  it.each([
    ['v1.36.0', '1.36.0'],
    ['1.36.0+build.1', '1.36.0'],
    ['v1.36.0-rc.1', 'v1.36.0-rc.1'],
  ])('%s is as old as %s', (a, b) => {
    expect(compareVersions(a, b)).toBe(0);
  });
});
