import type { LabHost } from '../host.ts';
import { once, type Undo } from './undo.ts';

/**
 * Cuts a host's power by killing its init; undo boots it. The page cache is this machine's and survives, so a missing fsync
 * does not show.
 */
export async function cutPower(host: LabHost): Promise<Undo> {
  await host.powerOff();
  return once(() => host.boot());
}
