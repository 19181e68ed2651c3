import { describe, expect, it } from 'vitest';
import { goKey } from './go-build.ts';
import { moduleFile } from './go-module.ts';
import { minorRecipes, recipesFor, type GoRecipe } from './recipes.ts';

const recipe: GoRecipe = {
  name: 'x',
  module: 'example.org/x',
  version: 'v1.2.3',
  commands: ['example.org/x'],
  seconds: 1,
};

describe('goKey', () => {
  it('changes with whatever changes the binaries, and with nothing else', () => {
    const key = goKey(recipe, 'go1.26.8');
    const others = [
      goKey(recipe, 'go1.26.9'),
      goKey({ ...recipe, version: 'v1.2.4' }, 'go1.26.8'),
      goKey({ ...recipe, tags: ['seccomp'] }, 'go1.26.8'),
      goKey({ ...recipe, cgo: true }, 'go1.26.8'),
      goKey({ ...recipe, variables: { a: 'b' } }, 'go1.26.8'),
    ];
    expect(new Set([key, ...others]).size).toBe(others.length + 1);
    expect(goKey({ ...recipe, seconds: 2 }, 'go1.26.8')).toBe(key);
  });
});

describe('recipesFor', () => {
  it('names every component once, though both minors use it', () => {
    const names = recipesFor(['1.36', '1.37']).map(({ name, version }) => `${name} ${version}`);
    expect(new Set(names).size).toBe(names.length);
    expect(names.filter((name) => name.startsWith('kubernetes '))).toEqual([
      'kubernetes v1.36.3',
      'kubernetes v1.37.1',
    ]);
    expect(names.filter((name) => name.startsWith('runc '))).toHaveLength(1);
  });

  it('tells Kubernetes its version', () => {
    expect(minorRecipes('1.36').kubernetes.variables).toMatchObject({
      'k8s.io/component-base/version.gitVersion': 'v1.36.3',
      'k8s.io/client-go/pkg/version.gitMinor': '36',
    });
  });
});

describe('moduleFile', () => {
  const local = (name: string) => ({ Old: { Path: name }, New: { Path: `./staging/${name}` } });

  it('repeats what Go heeds in a main module only', () => {
    const text = moduleFile(recipe, {
      Go: '1.26.0',
      GoDebug: [{ Key: 'default', Value: 'go1.26' }],
      Require: [{ Path: 'example.org/y', Version: 'v1.0.0' }],
      Exclude: [{ Path: 'example.org/z', Version: 'v0.1.0' }],
      Replace: [{ Old: { Path: 'example.org/y' }, New: { Path: 'example.org/fork', Version: 'v1.0.1' } }],
    });
    expect(text.split('\n').slice(1, -1)).toEqual([
      'go 1.26.0',
      'godebug default=go1.26',
      'require example.org/y v1.0.0',
      'require example.org/x v1.2.3',
      'exclude example.org/z v0.1.0',
      'replace example.org/y => example.org/fork v1.0.1',
    ]);
  });

  it("takes the published module where Kubernetes' own go.mod points into its tree", () => {
    const text = moduleFile(minorRecipes('1.36').kubernetes, {
      Require: [{ Path: 'k8s.io/api', Version: 'v0.0.0' }],
      Replace: [local('k8s.io/api')],
    });
    expect(text).toContain('replace k8s.io/api => k8s.io/api v0.36.3');
    expect(text).not.toContain('require k8s.io/api');
  });

  it('needs no replacement for a folder whose module is required by a real version', () => {
    const text = moduleFile(recipe, {
      Require: [{ Path: 'example.org/y', Version: 'v1.0.0' }],
      Replace: [local('example.org/y')],
    });
    expect(text).not.toContain('replace');
  });
});
