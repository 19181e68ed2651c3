import { describe, expect, it } from 'vitest';
import { findingsOfRule as findings } from '../../test/support/rules.ts';
import type { ClusterConfig, OsDistribution, OsRepository } from './schema.ts';

type Spec = ClusterConfig['spec'];

const osRepository = (change: Partial<OsRepository>): OsRepository => ({
  ...{ url: 'http://m', suites: ['bookworm'], components: ['main'], allowUnsigned: false },
  ...change,
});
const rpmRepository = osRepository({ suites: [], components: [] });
/** Releases of Debian 12 with a key, changed. */
const distributions = (
  ...list: (Partial<Omit<OsDistribution, 'keyFile'>> & { keyFile?: string | undefined })[]
): Partial<Spec> => ({
  osPackages: {
    distributions: list.map(({ keyFile = '/vendor.asc', ...change }, index) => ({
      ...{ id: 'debian', version: '12', groups: [], packages: [], repositories: [] },
      ...change,
      ...(Object.hasOwn(list[index] ?? {}, 'keyFile') && list[index]?.keyFile === undefined ? {} : { keyFile }),
    })),
  },
});
describe.each<{
  readonly id: string;
  readonly holds: readonly Partial<Spec>[];
  readonly breaks: readonly (readonly [Partial<Spec>, string])[];
}>([
  {
    id: 'os-distributions-unique',
    holds: [{}, distributions({}, { version: '13' })],
    breaks: [[distributions({}, {}), 'spec.osPackages.distributions[1]: debian 12 is distribution 1, too']],
  },
  {
    id: 'os-repositories-proven',
    holds: [
      {},
      distributions({}),
      distributions({ keyFile: undefined, repositories: [osRepository({ keyFile: '/k' })] }),
      distributions({ keyFile: undefined, repositories: [osRepository({ allowUnsigned: true })] }),
    ],
    breaks: [
      [
        distributions({ keyFile: undefined }),
        'spec.osPackages.distributions[0]: give the keyFile of the vendor, or repositories with theirs',
      ],
      [
        distributions({ keyFile: undefined, repositories: [osRepository({ keyFile: '/k' }), osRepository({})] }),
        'spec.osPackages.distributions[0].repositories[1]: give its keyFile; allowUnsigned: true takes it without one',
      ],
    ],
  },
  {
    id: 'os-repository-suites-fit',
    holds: [{}, distributions({ repositories: [osRepository({})] }), distributions({ repositories: [rpmRepository] })],
    breaks: [
      [
        distributions({ repositories: [osRepository({ suites: ['x/'] })] }),
        'spec.osPackages.distributions[0].repositories[0]: a suite that is a path cannot be resolved; name a suite',
      ],
      [
        distributions({ repositories: [osRepository({ components: [] })] }),
        'spec.osPackages.distributions[0].repositories[0]: suites and components stand together, or neither of them',
      ],
      [
        distributions({ repositories: [osRepository({}), rpmRepository] }),
        'spec.osPackages.distributions[0].repositories[1]: repositories of apt (with suites) and of rpm do not mix',
      ],
    ],
  },
])('the rule $id', ({ id, holds, breaks }) => {
  it.each(holds)('holds for %j', (change) => {
    expect(findings(id, change)).toEqual([]);
  });

  it.each(breaks)('is broken by %j', (change, expected) => {
    expect(findings(id, change)).toEqual([expected]);
  });
});
