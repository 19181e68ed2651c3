import { describe, expect, test } from 'vitest';
import { packageGroups } from '../spec/os-packages.ts';
import { loadPackageCatalogs, packageRequest, type PackageQuestion } from './catalog.ts';
import type { Trust } from './types.ts';

const catalogs = loadPackageCatalogs();
const trust: Trust = { keys: [], signatures: 'never' };

function question(id: string, versionId: string, more: Partial<PackageQuestion> = {}): PackageQuestion {
  return { id, versionId, architecture: 'amd64', groups: ['base', 'nfs'], names: [], trust, nowMs: 0, ...more };
}

describe('the catalogs of packages', () => {
  test('name no distribution twice, and packages for every purpose', () => {
    const ids = catalogs.flatMap(({ spec }) => spec.distributions);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { spec } of catalogs) expect(Object.keys(spec.groups).sort()).toEqual([...packageGroups]);
  });

  test("give a Debian's repositories by the release's name", () => {
    const request = packageRequest(catalogs, question('debian', '12', { names: ['jq', 'curl'] }));
    expect(request.names).toEqual(expect.arrayContaining(['conntrack', 'nfs-common', 'jq']));
    expect(request.names.filter((name) => name === 'curl')).toHaveLength(1);
    expect(request.family === 'apt' ? request.repositories.map(({ url, suite }) => `${url} ${suite}`) : []).toEqual([
      'http://deb.debian.org/debian bookworm',
      'http://deb.debian.org/debian bookworm-updates',
      'http://deb.debian.org/debian-security bookworm-security',
    ]);
  });

  test('know which site has which architecture', () => {
    const request = packageRequest(catalogs, question('ubuntu', '24.04', { architecture: 'arm64' }));
    expect(request.repositories[0]).toMatchObject({ url: 'http://ports.ubuntu.com/ubuntu-ports', suite: 'noble' });
    expect(request.repositories).toHaveLength(3);
  });

  test("take an rpm distribution's major version for its release", () => {
    expect(packageRequest(catalogs, question('rocky', '9.6'))).toMatchObject({ family: 'rpm', release: '9' });
  });

  test('say what has to be told', () => {
    const other = { repositories: { rpm: [{ url: 'http://mirror.example/os', trust }] } };
    expect(packageRequest(catalogs, question('rhel', '9.4', other)).repositories).toEqual(other.repositories.rpm);
    for (const [id, versionId, code] of [
      ['rhel', '9.4', 'PACKAGES_NO_REPOSITORY'],
      ['debian', '99', 'PACKAGES_NO_REPOSITORY'],
      ['plan9', '4', 'PACKAGES_UNKNOWN_DISTRIBUTION'],
    ] as const)
      expect(() => packageRequest(catalogs, question(id, versionId))).toThrow(expect.objectContaining({ code }));
  });
});
