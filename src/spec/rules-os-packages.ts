import type { OsDistribution } from './os-packages.ts';
import type { Issue } from './problems.ts';
import type { Rule } from './rule.ts';

const base = ['spec', 'osPackages', 'distributions'] as const;

const distributionsUnique: Rule = {
  id: 'os-distributions-unique',
  reads: ['osPackages'],
  check: ({ osPackages }) => {
    const names = osPackages.distributions.map(({ id, version }) => `${id} ${version}`);
    return names.flatMap((name, index) =>
      names.indexOf(name) === index
        ? []
        : [{ path: [...base, index], reason: `${name} is distribution ${names.indexOf(name) + 1}, too` }],
    );
  },
};

/** Without a key nobody knows whose packages they are: that has to be meant. */
const repositoriesProven: Rule = {
  id: 'os-repositories-proven',
  reads: ['osPackages'],
  check: ({ osPackages }) => osPackages.distributions.flatMap(unprovenOf),
};

function unprovenOf({ repositories, keyFile }: OsDistribution, index: number): Issue[] {
  if (keyFile !== undefined) return [];
  if (repositories.length === 0)
    return [{ path: [...base, index], reason: 'give the keyFile of the vendor, or repositories with theirs' }];
  return repositories.flatMap((repository, number) =>
    repository.keyFile !== undefined || repository.allowUnsigned
      ? []
      : [
          {
            path: [...base, index, 'repositories', number],
            reason: 'give its keyFile; allowUnsigned: true takes it without one',
          },
        ],
  );
}

const suitesFit: Rule = {
  id: 'os-repository-suites-fit',
  reads: ['osPackages'],
  check: ({ osPackages }) =>
    osPackages.distributions.flatMap(({ repositories }, index) => {
      const path = (number: number): (string | number)[] => [...base, index, 'repositories', number];
      const first = repositories[0];
      return repositories.flatMap(({ suites, components }, number) => {
        if (suites.some((suite) => suite.endsWith('/')))
          return [{ path: path(number), reason: 'a suite that is a path cannot be resolved; name a suite' }];
        if ((suites.length === 0) !== (components.length === 0))
          return [{ path: path(number), reason: 'suites and components stand together, or neither of them' }];
        if ((suites.length === 0) !== (first?.suites.length === 0))
          return [{ path: path(number), reason: 'repositories of apt (with suites) and of rpm do not mix' }];
        return [];
      });
    }),
};

export const osPackagesRules: readonly Rule[] = [distributionsUnique, repositoriesProven, suitesFit];
