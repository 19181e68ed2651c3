import { describe, expect, it } from 'vitest';
import { baseSpec as base } from '../../test/support/rules.ts';
import { checkRules, clusterRules } from './rules.ts';

describe('checkRules', () => {
  it('finds nothing wrong with the base cluster', () => {
    expect(checkRules(base)).toEqual([]);
  });

  it('leaves out the rules that read a section with other errors', () => {
    expect(checkRules({ ...base, hosts: [] }, new Set(['hosts']))).toEqual([]);
  });

  it('has one rule for each id', () => {
    expect(new Set(clusterRules.map(({ id }) => id)).size).toBe(clusterRules.length);
  });
});
