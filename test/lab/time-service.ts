import { must } from './faults/must.ts';
import type { LabHost } from './host.ts';

/**
 * Lets chrony and systemd-timesyncd run on a host, which may not set the clock: they ask their servers and choose among them,
 * and leave the clock alone.
 */
export async function allowTimeServices(host: LabHost): Promise<void> {
  const chrony = '[Unit]\nConditionCapability=\n[Service]\nExecStart=\nExecStart=!/usr/sbin/chronyd -x\n';
  const timesyncd = '[Unit]\nConditionCapability=\nConditionVirtualization=\n[Service]\nAmbientCapabilities=\n';
  for (const [unit, dropIn] of [
    ['chrony', chrony],
    ['systemd-timesyncd', timesyncd],
  ] as const) {
    const folder = `/etc/systemd/system/${unit}.service.d`;
    await must(host, `mkdir -p ${folder} && cat >${folder}/lab.conf`, { input: dropIn });
  }
  await must(host, 'systemctl daemon-reload');
}

/** Makes a host a time server for the others of its lab. */
export async function serveTime(host: LabHost): Promise<void> {
  await allowTimeServices(host);
  await must(host, 'cat >/etc/chrony/chrony.conf && systemctl restart chrony', { input: 'local stratum 8\nallow\n' });
}
