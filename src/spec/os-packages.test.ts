import { describe, expect, it } from 'vitest';
import type { OsPackagesConfig } from './config.ts';
import { parseClusterConfig } from './load.ts';

function packagesOf(distribution: string): OsPackagesConfig {
  const file = `apiVersion: installer.io/v1alpha1\nkind: ClusterConfig\nmetadata: { name: a }\nspec:\n  hosts: [{ name: a, address: 10.0.0.1, roles: [control-plane] }]\n  osPackages: { distributions: [${distribution}] }\n`;
  return parseClusterConfig(file, 'a.yaml', '/etc/prod', '/home/ops').spec.osPackages;
}

describe('spec.osPackages', () => {
  it('reads a release as text, and paths from the folder of the file', () => {
    const { distributions } = packagesOf(
      '{ id: rocky, version: 9.6, keyFile: ~/rocky.asc, repositories: [{ url: "http://m/$releasever/BaseOS/$basearch/os/", keyFile: ./k.asc }], packages: [jq] }',
    );

    expect(distributions).toEqual([
      {
        id: 'rocky',
        version: '9.6',
        groups: [],
        packages: ['jq'],
        keyFile: '/home/ops/rocky.asc',
        repositories: [
          {
            url: 'http://m/$releasever/BaseOS/$basearch/os',
            suites: [],
            components: [],
            allowUnsigned: false,
            keyFile: '/etc/prod/k.asc',
          },
        ],
      },
    ]);
  });

  it.each([
    ['{ id: ../x, version: "1", keyFile: k }', 'is not a word of os-release'],
    ['{ id: debian, version: "1/2", keyFile: k }', 'is not a word of os-release'],
    ['{ id: debian, keyFile: k }', 'version'],
    ['{ id: debian, version: 12, keyFile: k, groups: [everything] }', 'base'],
    ['{ id: debian, version: 12, keyFile: k, packages: ["-y"] }', 'is not the name of a package'],
    ['{ id: debian, version: 12, keyFile: k, repositories: [{ url: "ftp://m" }] }', 'http://'],
    ['{ id: debian, version: 12, keyFile: k, repositories: [{ url: "http://a:b@m" }] }', 'user name or password'],
    ['{ id: debian, version: 12 }', 'keyFile'],
  ])('refuses %s', (text, reason) => {
    expect(() => packagesOf(text)).toThrow(reason);
  });
});
