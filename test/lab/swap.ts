import { must } from './faults/must.ts';
import type { LabHost } from './host.ts';

const zram = '/sys/block/zram0';

/** Whether the machine's kernel has a zram device that nobody uses. */
export async function hasZram(host: LabHost): Promise<boolean> {
  return (await host.exec(`grep -qx 0 ${zram}/disksize`)).exitCode === 0;
}

/**
 * Gives a host real swap, of a few MB: /swap.img, which stands in /etc/fstab, /own.img, which has a unit of its own, and
 * /dev/zram0 of zram-generator, where the kernel has it. systemd starts no swap unit in a container, so it is turned on by
 * `turnSwapOn`; zram-generator, which asks whether it is in one, is told that it is not.
 */
export async function installSwap(host: LabHost): Promise<void> {
  await must(
    host,
    `set -e
for f in /swap.img /own.img; do head -c 8M /dev/zero >$f; chmod 600 $f; mkswap -q $f; done
printf 'UUID=0000 none swap sw 0 0\\n/swap.img none swap sw 0 0\\n' >>/etc/fstab
cat >/etc/systemd/system/own.img.swap <<END
[Swap]
What=/own.img
Priority=5
[Install]
WantedBy=swap.target
END
printf '#!/bin/sh\\necho none; exit 1\\n' >/usr/bin/systemd-detect-virt
systemctl daemon-reload
systemctl -q enable own.img.swap`,
  );
}

/** Swap belongs to the machine's one kernel: whoever turns it on turns it off. */
export async function turnSwapOn(host: LabHost): Promise<void> {
  await must(
    host,
    `set -e
if grep -qx 0 ${zram}/disksize; then
  [ -b /dev/zram0 ] || mknod -m 660 /dev/zram0 b $(tr : ' ' <${zram}/dev)
  echo 8M >${zram}/disksize
  mkswap -q /dev/zram0
  swapon -p 100 /dev/zram0
fi
swapon -p 5 /own.img
swapon /swap.img`,
  );
}

/** Takes the content of zram away, as a boot does; works where nothing is on, too. */
export async function turnSwapOff(host: LabHost): Promise<void> {
  await must(host, `swapoff /swap.img /own.img /dev/zram0 2>/dev/null; [ ! -e ${zram} ] || echo 1 >${zram}/reset`);
}
