import { parseClusterConfig } from '../../src/spec/load.ts';
import { formatPath } from '../../src/spec/problems.ts';
import { clusterRules } from '../../src/spec/rules.ts';
import type { ClusterConfig } from '../../src/spec/schema.ts';

type Spec = ClusterConfig['spec'];

/** Of the smallest cluster file: one control plane, and every default. */
export const baseSpec: Spec = parseClusterConfig(
  `{ apiVersion: installer.io/v1alpha1, kind: ClusterConfig, metadata: { name: a },
     spec: { hosts: [{ name: cp, address: 10.0.0.1, roles: [control-plane] }] } }`,
  'base',
  '/',
).spec;

/** What the rule of this id says of the base spec with the changed sections, each as `path: reason`. */
export function findingsOfRule(id: string, change: Partial<Spec>): string[] {
  const rule = clusterRules.find((candidate) => candidate.id === id);
  if (rule === undefined) throw new Error(`no rule ${id}`);
  return rule.check({ ...baseSpec, ...change }).map(({ path, reason }) => `${formatPath(path)}: ${reason}`);
}
