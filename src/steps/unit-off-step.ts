import { blocked, changes, noChanges, type Change, type Step } from '../engine/step.ts';
import type { Action } from '../ops/action.ts';
import { serviceQuery } from '../ops/query.ts';
import { customStep } from './edit-step.ts';

/** Makes units neither run nor start at boot, where they are there at all; how they were is recorded. */
export function unitsOffStep(id: string, units: readonly string[]): Step {
  const queries = units.map((unit) => serviceQuery(unit));
  return customStep(id, queries, (seen) => {
    const list: Change[] = [];
    for (const query of queries) {
      const { unit } = query;
      const answer = seen(query);
      if (answer.state === 'unknown')
        return blocked(
          'SERVICE_UNKNOWN',
          `cannot read the state of ${unit}: ${answer.reason}`,
          'see whether systemd answers on the host',
        );
      if (answer.state === 'absent') continue;
      const { activeState, unitFileState } = answer.value;
      const isEnabled = unitFileState.startsWith('enabled');
      const isActive = activeState === 'active' || activeState === 'activating' || activeState === 'reloading';
      if (!isEnabled && !isActive) continue;
      const becomes = { enablement: isEnabled ? 'disabled' : unitFileState, activity: 'inactive' };
      const actions: Action[] = [
        { kind: 'record', thing: { kind: 'unit', unit, becomes } },
        ...(isEnabled ? [{ kind: 'service', unit, do: 'disable' } as const] : []),
        ...(isActive ? [{ kind: 'service', unit, do: 'stop' } as const] : []),
      ];
      const verbs = [...(isActive ? ['stop'] : []), ...(isEnabled ? ['disable'] : [])].join(' and ');
      list.push({ summary: `${verbs} ${unit}`, disruptive: true, actions });
    }
    return list.length === 0 ? noChanges : changes(...list);
  });
}
