import type { Action } from '../ops/action.ts';
import type { Answers, Query } from '../ops/query.ts';

/** One difference between what is and what should be, with what removes it. */
export interface Change {
  readonly summary: string;
  /** Text before and after, for a diff; undefined `before` means that it was not there. Secrets stand as placeholders. */
  readonly before?: string | undefined;
  readonly after?: string | undefined;
  /** A diff that something else made (kubectl diff); wins over before and after. */
  readonly diff?: string | undefined;
  /** Work on the host is interrupted: a service restarts, a node drains. */
  readonly disruptive?: boolean;
  readonly actions: readonly Action[];
}

export type StepPlan =
  | { readonly kind: 'changes'; readonly changes: readonly Change[] }
  /** The answer depends on something that an earlier phase makes. */
  | { readonly kind: 'deferred'; readonly needs: string; readonly summary: string }
  /** The host's state is not known or not ours to change. Asked again until `waitSeconds` have passed, then an error. */
  | {
      readonly kind: 'blocked';
      readonly code: string;
      readonly reason: string;
      readonly remedy: string;
      readonly waitSeconds: number;
    };

/** Converges one thing on one host. `plan` is pure: it sees only the answers to `observe`. */
export interface Step {
  /** Unique within phase and host. */
  readonly id: string;
  readonly observe: readonly Query[];
  plan(seen: Answers): StepPlan;
}

export const noChanges: StepPlan = { kind: 'changes', changes: [] };

export function changes(...list: readonly Change[]): StepPlan {
  return { kind: 'changes', changes: list };
}

export function deferred(needs: string, summary: string): StepPlan {
  return { kind: 'deferred', needs, summary };
}

export function blocked(code: string, reason: string, remedy: string, waitSeconds = 0): StepPlan {
  return { kind: 'blocked', code, reason, remedy, waitSeconds };
}
