import { changes, noChanges, type Change, type Step } from '../engine/step.ts';
import { fileQuery } from '../ops/query.ts';
import { customStep, editStep } from '../steps/edit-step.ts';
import { commentSwapEntries } from '../steps/fstab.ts';
import { settingsOf, type Tuning } from './tuning.ts';

export const swapOff: Tuning = {
  id: 'swap-off',
  title: 'Swap',
  setting: 'swap',
  byDefault: '`off`',
  change:
    'turns swap off, comments its entries in /etc/fstab out, and where it lies on zram puts an empty configuration in /etc/systemd/zram-generator.conf',
  why: 'kubelet does not start where swap is on, unless it is told to',
  source: 'kubeadm preflight: Swap; kubelet: failSwapOn',
  undo: 'the entries come back (with everything else in /etc/fstab as it is by then), and the same devices are swapped to again with the same priority',
  steps: (_, cluster) =>
    settingsOf(cluster).swap === 'leave'
      ? []
      : [
          swapStep(),
          editStep({
            id: 'swap-entries',
            path: '/etc/fstab',
            summary: 'comment swap out',
            record: {},
            edit: (content) => commentSwapEntries(content),
          }),
        ],
};

const swaps = fileQuery('/proc/swaps');
const zramConfig = '/etc/systemd/zram-generator.conf';

function swapStep(): Step {
  return customStep('swap-off', [swaps], (seen) => {
    const answer = seen(swaps);
    const lines = answer.state === 'present' ? (answer.value.content ?? '').trim().split('\n').slice(1) : [];
    if (lines.length === 0) return noChanges;
    const devices = lines.map((line) => line.split(/\s+/)[0] ?? '');
    const list: Change[] = [
      {
        summary: `turn swap off (${devices.join(', ')})`,
        disruptive: true,
        actions: [
          { kind: 'record', thing: { kind: 'swap' } },
          { kind: 'run', argv: ['swapoff', '-a'], timeoutSeconds: 110 },
        ],
      },
    ];
    // Made at each boot by a generator; a file of this name without a section tells it to make none.
    if (devices.some((device) => device.startsWith('/dev/zram')))
      list.push({
        summary: `no swap on zram at boot (${zramConfig})`,
        actions: [
          {
            kind: 'write-file',
            path: zramConfig,
            content: '# Written by the installer: no swap on zram.\n',
            mode: '644',
            record: {},
          },
        ],
      });
    return changes(...list);
  });
}
