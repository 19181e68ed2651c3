import type { ClusterConfig } from './config.ts';
import { hostSettingsRules } from './rules-host-settings.ts';
import { hostRules } from './rules-hosts.ts';
import { networkRules } from './rules-network.ts';
import { virtualAddressRules } from './rules-virtual-address.ts';
import { osPackagesRules } from './rules-os-packages.ts';
import type { Rule } from './rule.ts';
import type { Issue } from './problems.ts';

/** The identity of a Kubernetes configuration object is the installer's to write. */
const overridesWithoutIdentity: Rule = {
  id: 'overrides-without-identity',
  reads: ['kubernetes'],
  check: ({ kubernetes }) =>
    (['kubelet', 'kubeProxy'] as const).flatMap((section) =>
      ['apiVersion', 'kind']
        .filter((key) => Object.hasOwn(kubernetes[section], key))
        .map((key) => ({
          path: ['spec', 'kubernetes', section, key],
          reason: 'the installer writes this field; leave it out',
          onKey: true,
        })),
    ),
};

/** Every rule of a cluster file. */
export const clusterRules: readonly Rule[] = [
  ...hostRules,
  ...networkRules,
  ...virtualAddressRules,
  ...hostSettingsRules,
  ...osPackagesRules,
  overridesWithoutIdentity,
];

/** All issues of the rules that read none of the `unreadable` sections. */
export function checkRules(spec: ClusterConfig['spec'], unreadable: ReadonlySet<string> = new Set()): Issue[] {
  return clusterRules
    .filter((rule) => !rule.reads.some((section) => unreadable.has(section)))
    .flatMap((rule) => rule.check(spec));
}
