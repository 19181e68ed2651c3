import { expect, it } from 'vitest';
import { createSharing } from './sharing.ts';

it('copies everything that facts are made of', () => {
  const value = {
    text: 'ä',
    number: 1,
    missing: undefined,
    infinite: Number.POSITIVE_INFINITY,
    list: [{ a: 'b' }, null],
    set: new Set(['a']),
    map: new Map([['k', { a: true }]]),
  };

  const copy = createSharing()(value);

  expect(copy).toEqual(value);
  expect(copy.list).not.toBe(value.list);
});
