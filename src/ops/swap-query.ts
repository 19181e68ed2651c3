import { commandQuery } from './query.ts';

/** Services that make swap when they start: Debian and openSUSE (zram-tools, systemd-zram-service), Ubuntu, and Debian on small boards. */
export const swapServices = ['zramswap.service', 'zram-config.service', 'dphys-swapfile.service'] as const;

/**
 * State and name of each swap unit that has a file, but those that come of /etc/fstab, and of services above that start at boot:
 * `generated dev-zram0.swap`. Looked for in the folders of systemd, because its own list takes a second: it reads every unit there is.
 */
const findSwapUnits = `d=systemd/system
for f in /etc/$d/*.swap /run/$d/*.swap /run/systemd/generator*/*.swap /usr/local/lib/$d/*.swap /usr/lib/$d/*.swap /lib/$d/*.swap; do
if [ -e "$f" ] && ! grep -q '^SourcePath=/etc/fstab' "$f"; then printf '%s\\n' "\${f##*/}"; fi
done | sort -u | while read -r u; do
printf '%s %s\\n' "$(systemctl show -p UnitFileState "$u" | sed 's/^UnitFileState=//')" "$u"
done
for s in ${swapServices.join(' ')}; do
for f in /etc/$d/*.wants/$s; do if [ -e "$f" ]; then printf 'enabled %s\\n' "$s"; break; fi; done
done
exit 0`;

export const swapUnitsQuery = commandQuery(['/bin/sh', '-c', findSwapUnits]);

export interface SwapUnit {
  readonly unit: string;
  /** systemd's word: enabled, generated, masked, static, … */
  readonly state: string;
}

/** Units that turn swap on at the next boot. */
export function parseSwapUnits(text: string): SwapUnit[] {
  return text.split('\n').flatMap((line) => {
    const [state = '', unit = ''] = line.split(' ');
    return state === 'enabled' || state === 'generated' ? [{ unit, state }] : [];
  });
}
