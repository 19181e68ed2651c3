import { InstallerError, InternalError, messageOf } from '../errors.ts';
import type { FailedAction, Host } from '../hosts/host.ts';
import { describeAction, type Action } from '../ops/action.ts';
import type { ErrorReport } from '../report/events.ts';
import type { HostPlan } from './plan.ts';

/** Says what was being done, and what goes on without the installer. */
export function interruptedWhileError(host: Host, phase: string, plan: HostPlan): InstallerError {
  const units = plan.changes
    .flatMap(({ change }) => change.actions)
    .flatMap((action) => (action.kind === 'long' ? [action.unit] : []));
  return new InstallerError({
    code: 'INTERRUPTED',
    host: host.name,
    message: `interrupted during ${phase}: ${plan.changes.map(({ change }) => change.summary).join('; ')}`,
    remedy:
      units.length === 0
        ? 'run the same command again: it looks at the host and goes on from there'
        : `what was started goes on there as ${units.join(', ')}.service; run the same command again, and it waits for that one`,
  });
}

/** Names the action with its host, arguments, exit status and the end of its output, and the step that wanted it. */
export function actionFailed(
  host: Host,
  phase: string,
  plan: HostPlan,
  actions: readonly Action[],
  failed: FailedAction,
): { readonly step: string; readonly error: InstallerError } {
  const action = actions[failed.index];
  const owner = plan.changes.find(({ change }) => action !== undefined && change.actions.includes(action));
  const status = failed.exitCode === undefined ? 'it is not known how it ended' : `exit status ${failed.exitCode}`;
  const error = new InstallerError({
    code: failed.exitCode === undefined ? 'SSH_CONNECTION_LOST' : 'ACTION_FAILED',
    host: host.name,
    message: `${phase}/${owner?.step.id ?? '?'}: ${owner?.change.summary ?? 'change'}: ${action === undefined ? '?' : describeAction(action)}: ${status}`,
    remedy: 'see the output below; when the cause is mended, run the same command again',
    details: failed.output.split('\n').filter((line) => line.trim() !== ''),
  });
  return { step: owner?.step.id ?? '?', error };
}

export function keepsChangingError(host: Host): InstallerError {
  return new InstallerError({
    code: 'HOST_KEEPS_CHANGING',
    host: host.name,
    message: 'another run changed this host each time between looking and applying',
    remedy: 'let one run end before the next is started',
  });
}

export function toInstallerError(error: unknown, host: string): InstallerError {
  if (error instanceof InstallerError) {
    if (error.host !== undefined) return error;
    const { code, message, remedy, details, cause, exitCode } = error;
    return new InstallerError({ code, message, remedy, host, details, cause, exitCode });
  }
  const defect = error instanceof InternalError ? error : new InternalError(messageOf(error), { cause: error });
  return new InstallerError({
    code: 'INTERNAL',
    host,
    message: `a defect of the installer: ${defect.message}`,
    remedy: 'please report this with the run log',
    details: (error instanceof Error ? (error.stack ?? '') : '').split('\n').slice(0, 8),
    cause: error,
    exitCode: 1,
  });
}

export function reportError(error: InstallerError): ErrorReport {
  return { code: error.code, message: error.message, host: error.host, remedy: error.remedy, details: error.details };
}
