import { blocked, changes, noChanges, type Change, type Step } from '../engine/step.ts';
import { fileQuery } from '../ops/query.ts';
import { parseSwapUnits, swapServices, swapUnitsQuery } from '../ops/swap-query.ts';
import { customStep, editStep } from '../steps/edit-step.ts';
import { commentSwapEntries } from '../ops/fstab.ts';
import { unitsOffStep } from '../steps/unit-off-step.ts';
import { settingsOf, type Tuning } from './tuning.ts';

export const swapOff: Tuning = {
  id: 'swap-off',
  title: 'Swap',
  setting: 'swap',
  byDefault: '`off`',
  change:
    'turns swap off, comments its entries in /etc/fstab out, disables swap units and services that make swap (zramswap, zram-config, dphys-swapfile), and masks swap units that a generator makes at each boot (zram-generator, partitions of a GPT disk)',
  why: 'kubelet does not start where swap is on, unless it is told to',
  source: 'kubeadm preflight: Swap; kubelet: failSwapOn',
  undo: 'the entries come back (with everything else in /etc/fstab as it is by then), the units are as they were, and the same devices are swapped to again with the same priority; swap on zram, whose content ends with a boot, is made anew by its unit',
  steps: (_, cluster) =>
    settingsOf(cluster).swap === 'leave'
      ? []
      : [
          unitsOffStep('swap-services', swapServices),
          swapUnitsStep(),
          swapStep(),
          editStep({
            id: 'swap-entries',
            path: '/etc/fstab',
            summary: 'comment swap out',
            record: {},
            edit: (content) => commentSwapEntries(content),
          }),
        ],
  becomes: (_, cluster) =>
    settingsOf(cluster).swap === 'leave'
      ? []
      : [{ setting: 'swap', facts: { swaps: [], swapEntries: [], swapUnits: [] } }],
};

/** Swap units that would turn swap on at the next boot; the step behind this one turns off what is on now. */
function swapUnitsStep(): Step {
  return customStep('swap-units', [swapUnitsQuery], (seen) => {
    const answer = seen(swapUnitsQuery);
    if (answer.state !== 'present')
      return blocked('SERVICE_UNKNOWN', 'cannot list swap units', 'see whether systemd answers on the host');
    // Services are those of the step in front.
    const units = parseSwapUnits(answer.value.stdout).filter(({ unit }) => unit.endsWith('.swap'));
    const list = units.map(({ unit, state }): Change => {
      const [verb, enablement] =
        state === 'enabled' ? (['disable', 'disabled'] as const) : (['mask', 'masked'] as const);
      return {
        summary: `${verb} ${unit}`,
        actions: [
          { kind: 'record', thing: { kind: 'unit', unit, becomes: { enablement, activity: 'inactive' } } },
          { kind: 'service', unit, do: verb },
        ],
      };
    });
    return list.length === 0 ? noChanges : changes(...list);
  });
}

const swaps = fileQuery('/proc/swaps');

function swapStep(): Step {
  return customStep('swap-off', [swaps], (seen) => {
    const answer = seen(swaps);
    const lines = answer.state === 'present' ? (answer.value.content ?? '').trim().split('\n').slice(1) : [];
    if (lines.length === 0) return noChanges;
    const devices = lines.map((line) => line.split(/\s+/)[0] ?? '');
    return changes({
      summary: `turn swap off (${devices.join(', ')})`,
      disruptive: true,
      actions: [
        { kind: 'record', thing: { kind: 'swap' } },
        { kind: 'run', argv: ['swapoff', '-a'], timeoutSeconds: 110 },
      ],
    });
  });
}
