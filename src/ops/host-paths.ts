/** Everything that the installer keeps on a host, beside what it configures. */
export const hostPaths = {
  /** Identity, intent and artifact records; survives a reboot. */
  state: '/var/lib/installer',
  identity: '/var/lib/installer/cluster.json',
  intent: '/var/lib/installer/intent.json',
  artifacts: '/var/lib/installer/artifacts',
  /** What was there before tuning: an entry for each thing that was changed. */
  before: '/var/lib/installer/before',
  /** Lock, generation and outputs of transient units; gone after a reboot. */
  run: '/run/installer',
  lock: '/run/installer/lock',
  generation: '/run/installer/generation',
  /** How images are pulled out of a bundle, while a run lasts. */
  bundle: '/run/installer/bundle',
} as const;
