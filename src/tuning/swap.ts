import { blocked, changes, noChanges, type Change, type Step } from '../engine/step.ts';
import { commandQuery, fileQuery } from '../ops/query.ts';
import { customStep, editStep } from '../steps/edit-step.ts';
import { commentSwapEntries } from '../steps/fstab.ts';
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
};

/** Debian and openSUSE (zram-tools, systemd-zram-service), Ubuntu, and Debian on small boards. */
const swapServices = ['zramswap.service', 'zram-config.service', 'dphys-swapfile.service'] as const;

/**
 * State and name of each swap unit that has a file, but those that come of /etc/fstab: `generated dev-zram0.swap`. Looked for in the
 * folders of systemd, because its own list takes a second: it reads every unit there is.
 */
const findSwapUnits = `d=systemd/system
for f in /etc/$d/*.swap /run/$d/*.swap /run/systemd/generator*/*.swap /usr/local/lib/$d/*.swap /usr/lib/$d/*.swap /lib/$d/*.swap; do
if [ -e "$f" ] && ! grep -q '^SourcePath=/etc/fstab' "$f"; then printf '%s\\n' "\${f##*/}"; fi
done | sort -u | while read -r u; do
printf '%s %s\\n' "$(systemctl show -p UnitFileState "$u" | sed 's/^UnitFileState=//')" "$u"
done`;
const swapUnits = commandQuery(['/bin/sh', '-c', findSwapUnits]);

/** Swap units that would turn swap on at the next boot; the step behind this one turns off what is on now. */
function swapUnitsStep(): Step {
  return customStep('swap-units', [swapUnits], (seen) => {
    const answer = seen(swapUnits);
    if (answer.state !== 'present')
      return blocked('SERVICE_UNKNOWN', 'cannot list swap units', 'see whether systemd answers on the host');
    const list = answer.value.stdout.split('\n').flatMap((line): Change[] => {
      const [state = '', unit = ''] = line.split(' ');
      if (state !== 'enabled' && state !== 'generated') return [];
      const [verb, enablement] =
        state === 'enabled' ? (['disable', 'disabled'] as const) : (['mask', 'masked'] as const);
      return [
        {
          summary: `${verb} ${unit}`,
          actions: [
            { kind: 'record', thing: { kind: 'unit', unit, becomes: { enablement, activity: 'inactive' } } },
            { kind: 'service', unit, do: verb },
          ],
        },
      ];
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
