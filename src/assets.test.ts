import { describe, expect, it } from 'vitest';
import { listAssets, programVersion, readAsset } from './assets.ts';
import { InternalError } from './errors.ts';

describe('assets', () => {
  it('lists paths that can be read', () => {
    const paths = listAssets('');

    for (const path of paths) expect(readAsset(path), path).toEqual(expect.any(String));
  });

  it('lists only what starts with the prefix', () => {
    expect(listAssets('no-such-folder/')).toEqual([]);
    expect(listAssets('manifests/').every((path) => path.startsWith('manifests/'))).toBe(true);
  });

  it.each(['manifests/absent.yaml', 'package.json', 'templates', 'templates/../package.json', '/etc/passwd'])(
    'refuses %s',
    (path) => {
      expect(() => readAsset(path)).toThrow(InternalError);
    },
  );

  it('knows the version of the program', () => {
    expect(programVersion).toMatch(/^\d+\.\d+\.\d+/);
  });
});
