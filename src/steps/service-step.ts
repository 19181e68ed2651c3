import { blocked, changes, noChanges, type Change, type Step } from '../engine/step.ts';
import type { Action } from '../ops/action.ts';
import { fileQuery, serviceQuery, type ServiceSeen } from '../ops/query.ts';

export interface ServiceStepInput {
  readonly id: string;
  /** With its suffix: `containerd.service`. */
  readonly unit: string;
  /**
   * Digest of the configuration that the service must have been started with: its unit sets INSTALLER_DIGEST to it. A
   * service that runs with another one is restarted, also when the run that wrote the files never came to the restart.
   */
  readonly digest: string;
  /** Done after a start or restart: wait until it serves. */
  readonly then: readonly Action[];
  /** Where given, the service is started and restarted only when this file is there; it is enabled all the same. */
  readonly runsOnlyWith?: string;
}

/** Makes a service be enabled and running with the configuration that is there now. */
export function serviceStep(input: ServiceStepInput): Step {
  const query = serviceQuery(input.unit);
  const needed = input.runsOnlyWith === undefined ? undefined : fileQuery(input.runsOnlyWith, { content: false });
  return {
    id: input.id,
    observe: needed === undefined ? [query] : [query, needed],
    plan(seen) {
      const answer = seen(query);
      const mayRun = needed === undefined || seen(needed).state === 'present';
      if (answer.state === 'unknown')
        return blocked(
          'SERVICE_UNKNOWN',
          `cannot read the state of ${input.unit}: ${answer.reason}`,
          'see whether systemd answers on the host',
        );
      const list = planService(input, answer.state === 'present' ? answer.value : undefined, mayRun);
      return list.length === 0 ? noChanges : changes(...list);
    },
  };
}

function planService(input: ServiceStepInput, seen: ServiceSeen | undefined, mayRun: boolean): Change[] {
  const { unit, digest } = input;
  const list: Change[] = [];
  const act = (verb: 'start' | 'restart' | 'enable'): Action => ({ kind: 'service', unit, do: verb });
  const reload: Action = { kind: 'service', unit, do: 'daemon-reload' };
  if (seen?.unitFileState !== 'enabled') list.push({ summary: `enable ${unit}`, actions: [reload, act('enable')] });
  if (!mayRun) return list;
  if (seen?.activeState !== 'active') {
    list.push({ summary: `start ${unit}`, actions: [reload, act('restart'), ...input.then] });
  } else if (seen.startedWithDigest !== digest) {
    const change = { summary: `restart ${unit}: it runs with another configuration`, disruptive: true };
    list.push({ ...change, actions: [reload, act('restart'), ...input.then] });
  }
  return list;
}

/** The drop-in through which a service carries the digest of its configuration in its environment. */
export function digestDropIn(digest: string): string {
  return `# The installer compares this with the environment of the running service.\n[Service]\nEnvironment=INSTALLER_DIGEST=${digest}\n`;
}
