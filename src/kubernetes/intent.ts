import type { Action } from '../ops/action.ts';
import { hostPaths } from '../ops/host-paths.ts';
import { fileQuery, type Answers } from '../ops/query.ts';
import type { HostIdentity } from '../hosts/facts.ts';

/** What a run was about to do once, written and synced before it does it. */
export interface Intent {
  readonly clusterId: string;
  readonly runId: string;
  readonly step: string;
}

export const intentQuery = fileQuery(hostPaths.intent);

/** 'unreadable' where there is a file that holds no intent: then nobody knows what was begun. */
export function readIntent(seen: Answers): Intent | 'unreadable' | undefined {
  const answer = seen(intentQuery);
  if (answer.state === 'absent') return undefined;
  if (answer.state === 'unknown') return 'unreadable';
  try {
    const value = JSON.parse(answer.value.content ?? '') as Partial<Intent>;
    const { clusterId, runId, step } = value;
    if (typeof clusterId === 'string' && typeof runId === 'string' && typeof step === 'string')
      return { clusterId, runId, step };
  } catch {
    // Not JSON: unreadable, as below.
  }
  return 'unreadable';
}

export function writeIntent(intent: Intent): Action {
  return { kind: 'write-file', path: hostPaths.intent, content: `${JSON.stringify(intent)}\n`, mode: '600' };
}

export const clearIntent = { kind: 'remove', path: hostPaths.intent } as const satisfies Action;

/** Text of the identity file. */
export function renderIdentity(identity: HostIdentity): string {
  return `${JSON.stringify(identity)}\n`;
}

/** Name of the transient unit of a one-time act: the same act of the same cluster has the same name in every run. */
export function unitName(clusterId: string, act: string): string {
  return `installer-${clusterId}-${act}`;
}
