import { describe, expect, it } from 'vitest';
import { formatPath, formatProblem } from './problems.ts';

describe('formatPath', () => {
  it.each([
    [[], ''],
    [['spec', 'hosts', 1, 'address'], 'spec.hosts[1].address'],
    [['spec', 'registries', 'docker.io', 'mirrors', 0], 'spec.registries["docker.io"].mirrors[0]'],
    [['a-b', '1'], 'a-b["1"]'],
  ])('of %j is %s', (path, text) => {
    expect(formatPath(path)).toBe(text);
  });
});

describe('formatProblem', () => {
  const problem = { file: 'a.yaml', line: 12, column: 5, path: 'spec.hosts[1].adress', reason: 'unknown key' };

  it('names the place, the path, the reason and the nearest key', () => {
    expect(formatProblem({ ...problem, nearest: 'address' })).toBe(
      'a.yaml:12:5: spec.hosts[1].adress: unknown key; did you mean "address"?',
    );
  });

  it('has no path where the problem is that of the whole file', () => {
    expect(formatProblem({ ...problem, path: '', reason: 'the file is empty' })).toBe('a.yaml:12:5: the file is empty');
  });
});
