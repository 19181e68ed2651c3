import { describe, expect, test } from 'vitest';
import { compareDebianVersions } from './version.ts';

describe('the order of Debian versions', () => {
  test.each([
    // Debian Policy, 5.6.12: ~~, ~~a, ~, the empty part, a.
    ['1.0~~', '1.0~~a'],
    ['1.0~~a', '1.0~'],
    ['1.0~', '1.0'],
    ['1.0', '1.0a'],
    ['1.0~beta1~svn1245', '1.0~beta1'],
    ['1.0~beta1', '1.0'],
    // Letters come before everything else that is no digit.
    ['1.0a', '1.0+'],
    ['1.0z', '1.0+'],
    ['1.0-1', '1.0+'],
    ['1.0', '1.0.1'],
    // Numbers by value.
    ['1.9', '1.10'],
    ['1.009', '1.10'],
    ['20240101', '120240101'],
    ['99999999999999999998', '99999999999999999999'],
    // Epochs before everything.
    ['9.9', '1:0.1'],
    ['1:9.9', '2:0.1'],
    // Revisions last; none is as 0, which ~ still precedes.
    ['1.0-1', '1.0-2'],
    ['1.0-9', '1.0-10'],
    ['1.0-1~bpo1', '1.0-1'],
    ['1.0', '1.0-1'],
    ['1.0-1', '1.0-1+b1'],
    ['1.0-1+b1', '1.0-1+b2'],
    ['1.0-1+deb12u9', '1.0-1+deb12u10'],
    ['2.36-9+deb12u4', '2.36-9+deb12u14'],
    ['1.2-3-4', '1.2-4-1'],
  ])('%s is older than %s', (older, newer) => {
    expect(compareDebianVersions(older, newer)).toBeLessThan(0);
    expect(compareDebianVersions(newer, older)).toBeGreaterThan(0);
  });

  test.each([
    ['1.0', '0:1.0'],
    ['1.0', '1.0-0'],
    ['1.00', '1.0'],
    ['01.2', '1.2'],
    ['1.0-1', '1.0-01'],
  ])('%s is %s', (a, b) => {
    expect(compareDebianVersions(a, b)).toBe(0);
  });
});
