import type { Action } from './action.ts';

/**
 * Leaves out the daemon-reloads that another one, or `systemctl enable` (which reloads by itself), makes superfluous. Each
 * costs some tenths of a second on a busy host, and every unit file asks for one. A reload happens still before anything
 * that could start a unit, and whatever was asked for at the end is done at the end.
 */
export function coalesceReloads(actions: readonly Action[]): Action[] {
  const result: Action[] = [];
  let pending: Action | undefined;
  // A run that was cut off may have written units without a reload: the first one that is asked for is always done.
  let changed = true;
  for (const action of actions) {
    if (action.kind === 'service' && action.do === 'daemon-reload') {
      if (changed) pending = action;
      continue;
    }
    const isPassive =
      action.kind === 'write-file' ||
      action.kind === 'remove' ||
      action.kind === 'directory' ||
      action.kind === 'link' ||
      action.kind === 'restore-file' ||
      action.kind === 'forget' ||
      action.kind === 'fetch';
    if (isPassive) {
      changed = true;
    } else if (action.kind === 'service' && ['enable', 'disable', 'mask', 'unmask'].includes(action.do)) {
      pending = undefined;
      changed = false;
    } else if (pending !== undefined) {
      result.push(pending);
      pending = undefined;
      changed = false;
    }
    result.push(action);
  }
  return pending === undefined ? result : [...result, pending];
}
