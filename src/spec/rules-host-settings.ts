import { serverOf } from '../oci/web-servers.ts';
import type { Rule } from './rule.ts';

const base = ['spec', 'hostSettings'] as const;

/** A cluster whose hosts do not forward is none. */
const sysctlLetsForward: Rule = {
  id: 'sysctl-lets-forward',
  reads: ['hostSettings'],
  check: ({ hostSettings }) =>
    ['net.ipv4.ip_forward', 'net.bridge.bridge-nf-call-iptables', 'net.bridge.bridge-nf-call-ip6tables']
      .filter((key) => (hostSettings.sysctl[key] ?? '1') !== '1')
      .map((key) => ({ path: [...base, 'sysctl', key], reason: `Kubernetes needs ${key} = 1; leave it out` })),
};

const swapFitsKubelet: Rule = {
  id: 'swap-fits-kubelet',
  reads: ['hostSettings', 'kubernetes'],
  check: ({ hostSettings, kubernetes }) =>
    hostSettings.swap === 'leave' && kubernetes.kubelet['failSwapOn'] !== false
      ? [
          {
            path: [...base, 'swap'],
            reason: 'kubelet does not start where swap is on; set spec.kubernetes.kubelet.failSwapOn: false, too',
          },
        ]
      : [],
};

const repositoryNamesUnique: Rule = {
  id: 'repository-names-unique',
  reads: ['hostSettings'],
  check: ({ hostSettings }) => {
    const names = hostSettings.packageRepositories.repositories.map(({ name }) => name);
    return names.flatMap((name, index) =>
      names.indexOf(name) === index
        ? []
        : [
            {
              path: [...base, 'packageRepositories', 'repositories', index, 'name'],
              reason: `"${name}" is the name of repository ${names.indexOf(name) + 1}, too`,
            },
          ],
    );
  },
};

/** Components belong to suites; a suite that is a path (it ends with /) has none. */
const repositoryComponentsFit: Rule = {
  id: 'repository-components-fit',
  reads: ['hostSettings'],
  check: ({ hostSettings }) =>
    hostSettings.packageRepositories.repositories.flatMap(({ suites, components }, index) => {
      const path = [...base, 'packageRepositories', 'repositories', index, 'components'];
      const arePaths = suites.every((suite) => suite.endsWith('/'));
      if (components.length > 0 && arePaths) return [{ path, reason: 'components need suites that are no paths' }];
      if (components.length === 0 && suites.some((suite) => !suite.endsWith('/')))
        return [{ path: path.slice(0, -1), reason: 'suites need components, such as main' }];
      return [];
    }),
};

const signedIndexHasKey: Rule = {
  id: 'repository-signed-index-has-key',
  reads: ['hostSettings'],
  check: ({ hostSettings }) =>
    hostSettings.packageRepositories.repositories.flatMap(({ signedIndex, keyFile }, index) =>
      signedIndex && keyFile === undefined
        ? [
            {
              path: [...base, 'packageRepositories', 'repositories', index, 'signedIndex'],
              reason: 'give the keyFile that it is signed with',
            },
          ]
        : [],
    ),
};

/** apt, dnf, yum and zypper know user and password only. */
const repositoryLoginsFit: Rule = {
  id: 'repository-logins-fit',
  reads: ['hostSettings', 'artifacts'],
  check: ({ hostSettings, artifacts }) =>
    hostSettings.packageRepositories.repositories.flatMap(({ url }, index) => {
      const credentials = serverOf(artifacts.servers, new URL(url))?.credentials;
      if (credentials === undefined || !('token' in credentials)) return [];
      return [
        {
          path: [...base, 'packageRepositories', 'repositories', index, 'url'],
          reason: `package managers know no token; give username and password for ${new URL(url).host} in spec.artifacts.servers`,
        },
      ];
    }),
};

const packagesEitherWay: Rule = {
  id: 'packages-either-way',
  reads: ['hostSettings'],
  check: ({ hostSettings: { packages, removePackages } }) =>
    removePackages.flatMap((name, index) =>
      packages.includes(name)
        ? [{ path: [...base, 'removePackages', index], reason: `"${name}" is named in packages, too` }]
        : [],
    ),
};

export const hostSettingsRules: readonly Rule[] = [
  packagesEitherWay,
  repositoryLoginsFit,
  sysctlLetsForward,
  swapFitsKubelet,
  repositoryNamesUnique,
  repositoryComponentsFit,
  signedIndexHasKey,
];
