import { runChecks, type Check } from '../../src/checks/check.ts';
import type { Facts } from '../../src/hosts/facts.ts';
import { testCluster, testConfig } from './cluster.ts';

export const ours = { clusterId: 'c1', clusterName: 'prod' };

export interface FindingsInput {
  /** By name of the host (cp1, w1, w2), laid over good facts. */
  readonly facts: Readonly<Record<string, Partial<Facts>>>;
  /** More YAML of the cluster file's spec, indented by two. */
  readonly spec?: string;
}

/** `host severity: actual` of what one check finds. */
export function findingsOf(check: Check, { facts, spec = '' }: FindingsInput): string[] {
  const found = runChecks([check], testCluster({ config: testConfig(spec), facts }));
  return found.map(({ host, severity, actual }) => `${host ?? 'cluster'} ${severity}: ${actual}`);
}
