import { describe, expect, it } from 'vitest';
import { editDistance, findNearest } from './nearest.ts';

describe('editDistance', () => {
  it.each([
    ['', '', 0],
    ['abc', 'abc', 0],
    ['', 'abc', 3],
    ['adress', 'address', 1],
    ['verison', 'version', 1],
    ['kitten', 'sitting', 3],
  ])('of %j and %j is %i', (from, to, distance) => {
    expect(editDistance(from, to)).toBe(distance);
    expect(editDistance(to, from)).toBe(distance);
  });
});

describe('findNearest', () => {
  const keys = ['name', 'address', 'roles', 'labels', 'taints', 'ssh'];

  it.each([
    ['adress', 'address'],
    ['Address', 'address'],
    ['role', 'roles'],
    ['lables', 'labels'],
    ['sshh', 'ssh'],
    ['x', undefined],
    ['hostname', undefined],
    ['', undefined],
  ])('of %j is %j', (word, nearest) => {
    expect(findNearest(word, keys)).toBe(nearest);
  });

  it('takes the earlier of two that are as near', () => {
    expect(findNearest('port', ['ports', 'sport'])).toBe('ports');
  });
});
