import type { ClusterConfig } from './config.ts';
import type { Issue } from './problems.ts';

export type Section = keyof ClusterConfig['spec'];

/** What must hold between several fields of a cluster file. */
export interface Rule {
  readonly id: string;
  /** The sections that must be free of other errors before the rule can say anything. */
  readonly reads: readonly Section[];
  /** Pure; an empty list where the rule holds. */
  readonly check: (spec: ClusterConfig['spec']) => readonly Issue[];
}
