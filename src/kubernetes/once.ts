import { blocked, type StepPlan } from '../engine/step.ts';
import type { HostIdentity } from '../hosts/facts.ts';
import { serviceQuery, type Answers, type ServiceQuery } from '../ops/query.ts';
import { intentQuery, readIntent, unitName, type Intent } from './intent.ts';

/** An act that happens once on a host: the name of its transient unit, and how that is asked about. */
export interface OnceAct {
  readonly step: string;
  readonly clusterId: string;
  readonly unit: string;
  readonly unitSeen: ServiceQuery;
}

/** What is known of earlier tries. */
export interface Begun {
  readonly isRunning: boolean;
  /** The intent to do this very act was written, and the act never came to its end. */
  readonly isOurs: boolean;
  /** The intent of another cluster or act; where nothing proves the act done, it is refused with `foreignIntent`. */
  readonly foreign: Intent | undefined;
}

export function onceAct(step: string, identity: HostIdentity): OnceAct {
  const unit = unitName(identity.clusterId, step);
  return { step, clusterId: identity.clusterId, unit, unitSeen: serviceQuery(`${unit}.service`) };
}

/** Either what was begun before, or the plan that says why nobody knows. Asks for `unitSeen` and `intentQuery`. */
export function readBegun(act: OnceAct, seen: Answers): { readonly begun: Begun } | { readonly unknown: StepPlan } {
  const unit = seen(act.unitSeen);
  if (unit.state === 'unknown') {
    return {
      unknown: blocked(
        'UNIT_UNKNOWN',
        `cannot read the state of ${act.unit}: ${unit.reason}`,
        'see whether systemd answers on the host',
      ),
    };
  }
  const intent = readIntent(seen);
  if (intent === 'unreadable') {
    return {
      unknown: blocked(
        'INTENT_UNREADABLE',
        `${intentQuery.path} cannot be read, so it is not known what was begun here`,
        'see whether the file system is healthy; where the host belongs to no cluster, remove the file',
      ),
    };
  }
  const isOurs = intent !== undefined && intent.clusterId === act.clusterId && intent.step === act.step;
  return {
    begun: {
      isRunning: unit.state === 'present' && ['running', 'start'].includes(unit.value.subState),
      isOurs,
      foreign: isOurs ? undefined : intent,
    },
  };
}

export function foreignIntent(intent: Intent): StepPlan {
  return blocked(
    'FOREIGN_INTENT',
    `an act of another cluster (${intent.clusterId}) was begun here: ${intent.step}`,
    'reset the host with the cluster file of that cluster',
  );
}
