import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cgroupFolders, cgroupPids } from './cgroups.ts';
import { startTimeOf, type ProcessRef } from './processes.ts';

/** The init of a host as this machine sees it: the process of the cgroup that is number 1 in a process space of its own. */
export async function findLeader(cgroup: string): Promise<ProcessRef | undefined> {
  // Where systemd-nspawn puts it; the search through all folders costs more with every pod.
  for (const folder of cgroupFolders(cgroup)) {
    const text = await readFile(join(folder, 'payload/init.scope/cgroup.procs'), 'utf8').catch(() => '');
    const leader = await firstLeader(
      text
        .split('\n')
        .filter((line) => line !== '')
        .map(Number),
    );
    if (leader) return leader;
  }
  return firstLeader(await cgroupPids(cgroup));
}

/** Whether the text of /proc/PID/status is that of an init one process space below the reader's. */
export function isLeader(status: string): boolean {
  const numbers = /^NSpid:\s*(.+)$/m.exec(status)?.[1]?.trim().split(/\s+/) ?? [];
  return numbers.length === 2 && numbers[1] === '1';
}

async function firstLeader(pids: readonly number[]): Promise<ProcessRef | undefined> {
  for (const pid of pids) {
    if (pid === 0 || !isLeader(await readFile(`/proc/${pid}/status`, 'utf8').catch(() => ''))) continue;
    const startTime = startTimeOf(pid);
    if (startTime !== undefined) return { pid, startTime };
  }
  return undefined;
}
