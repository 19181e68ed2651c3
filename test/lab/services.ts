import { spawn } from 'node:child_process';
import { openSync, closeSync } from 'node:fs';
import { cgroupFolders, makeCgroups } from './cgroups.ts';
import { recordProcess, type ProcessRef } from './processes.ts';

export interface Service {
  readonly argv: readonly string[];
  /** Name of the cgroup it runs in: it must outlive the command that starts it, and be found when its record is lost. */
  readonly cgroup: string;
  readonly pidFile: string;
  readonly logFile: string;
}

/** Starts a process that outlives this one and remembers it in `pidFile`. */
export async function startService(service: Service): Promise<ProcessRef> {
  await makeCgroups(service.cgroup);
  const log = openSync(service.logFile, 'w');
  try {
    const child = spawn('/bin/sh', ['-c', `${joinScript(service.cgroup)}\nexec "$@"`, 'sh', ...service.argv], {
      cwd: '/',
      detached: true,
      stdio: ['ignore', log, log],
    });
    await new Promise<void>((settle, fail) => {
      child.once('spawn', settle);
      child.once('error', fail);
    });
    child.unref();
    return await recordProcess(service.pidFile, child.pid ?? 0);
  } finally {
    closeSync(log);
  }
}

/** Shell lines that move the shell into the cgroup, in every hierarchy. */
export function joinScript(cgroup: string): string {
  return cgroupFolders(cgroup)
    .map((folder) => `echo 0 >'${folder}/cgroup.procs'`)
    .join('\n');
}
