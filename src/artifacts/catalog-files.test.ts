import { describe, expect, it } from 'vitest';
import { listAssets, readAsset } from '../assets.ts';
import { parseClusterConfig } from '../spec/load.ts';
import { architectures, parseCatalog, resolveVersions } from './catalog.ts';

const files = listAssets('manifests/catalog/');
const catalogs = files.map((file) => parseCatalog(readAsset(file), file));
const versions = catalogs.flatMap(({ spec }) => Object.keys(spec.kubernetes).map((version) => [spec.minor, version]));

function resolveBuiltIn(version: string): ReturnType<typeof resolveVersions> {
  const text = `{ apiVersion: installer.io/v1alpha1, kind: ClusterConfig, metadata: { name: a }, spec: {
    hosts: [{ name: cp, address: 10.0.0.1, roles: [control-plane] }], kubernetes: { version: ${version} } } }`;
  return resolveVersions(catalogs, parseClusterConfig(text, 'test', '/'), architectures);
}

describe('the built-in catalog', () => {
  it('has a file for each of its three minors', () => {
    expect(files).toEqual(['1.35', '1.36', '1.37'].map((minor) => `manifests/catalog/v${minor}.yaml`));
    expect(catalogs.map(({ spec }) => spec.minor)).toEqual(['1.35', '1.36', '1.37']);
  });

  it.each(catalogs)('lists the default version of $metadata.name', ({ spec }) => {
    expect(Object.keys(spec.kubernetes)).toContain(spec.defaultVersion);
  });

  it.each(versions)('is complete and pinned for %s: %s', (minor, version) => {
    const resolved = resolveBuiltIn(version);

    expect(resolved.notes).toEqual([]);
    expect(version.startsWith(`v${minor}.`)).toBe(true);
    expect(resolved.images.kubernetes).toHaveLength(7);
    expect(resolved.images.kubernetes.filter((image) => image.endsWith(`:${version}`))).toHaveLength(4);
    expect([...resolved.binaries, ...resolved.components].every(({ checksumUrl }) => checksumUrl !== undefined)).toBe(
      true,
    );
  });

  it('pins no checksum twice within a file', () => {
    for (const file of files) {
      const sums = readAsset(file).match(/[0-9a-f]{64}/g) ?? [];
      expect(new Set(sums).size).toBe(sums.length);
    }
  });
});
