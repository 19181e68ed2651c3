import type { LabHost } from '../host.ts';
import { must } from './must.ts';
import { once, type Undo } from './undo.ts';

// Swap and clock belong to the one kernel under all hosts. These faults show a host what it would see, and change nothing.

/** Shows a host a swap partition in /proc/swaps. */
export async function simulateSwap(host: LabHost): Promise<Undo> {
  const swaps =
    'Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n/dev/vda2                               partition\t2097148\t\t0\t\t-2\n';
  await must(host, 'cat >/run/lab-swaps && mount --bind /run/lab-swaps /proc/swaps', { input: swaps });
  return once(async () => {
    if (await host.leader()) await must(host, 'umount /proc/swaps && rm -f /run/lab-swaps');
  });
}

/**
 * Shifts what `date` says on a host. Other readings of the clock (files' times, bash's own, programs) keep the true time, and
 * `date` with an argument of its own for the time is passed on.
 */
export async function simulateClockSkew(host: LabHost, options: { readonly seconds: number }): Promise<Undo> {
  const wrapper = `#!/bin/sh
for argument in "$@"; do
  case $argument in -d* | --date* | -s* | --set* | -r* | --reference* | -f* | --file*) exec /run/lab-date "$@" ;; esac
done
now=$(/run/lab-date +%s.%N)
exec /run/lab-date --date "@$((\${now%.*} + ${options.seconds})).\${now#*.}" "$@"
`;
  await must(
    host,
    `set -e; cp /usr/bin/date /run/lab-date; cat >/run/lab-date-wrapper; chmod 755 /run/lab-date-wrapper
     mount --bind /run/lab-date-wrapper /usr/bin/date`,
    { input: wrapper },
  );
  return once(async () => {
    if (await host.leader()) await must(host, 'umount /usr/bin/date && rm -f /run/lab-date /run/lab-date-wrapper');
  });
}
