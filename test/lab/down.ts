import { readdir, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { cgroupName, endCgroups, removeCgroupTree } from './cgroups.ts';
import type { Log } from './commands.ts';
import { removeMachineRecords } from './host.ts';
import { removeRoot, removeTree } from './host-root.ts';
import { restoreKernelValues } from './kernel-values.ts';
import { stopLabUpstream } from './lab-upstream.ts';
import { withLock } from './locks.ts';
import { removeNetwork } from './network.ts';
import { existingLabs, kernelValuesFile, labPaths, labsDir, type LabPaths } from './paths.ts';
import { endProcess } from './processes.ts';

/**
 * Removes a lab and everything it changed, except the cache. Works from names alone, so that it clears what an interrupted run
 * left, and does nothing where nothing is. Returns a line for each kernel value that was put back.
 */
export async function labDown(name: string, log: Log): Promise<readonly string[]> {
  const paths = labPaths(name);
  return withLock(`lab-${name}`, log, async () => {
    await endProcesses(paths);
    await removeNetwork(name);
    await removeFiles(paths);
    await removeMachineRecords(name);
    return withLock('machine', log, leaveMachine);
  });
}

async function endProcesses(paths: LabPaths): Promise<void> {
  await stopLabUpstream(paths);
  // Supervisors before hosts: they would boot them again.
  const records = (await readdir(paths.runDir).catch(() => [])).filter((file) => file.endsWith('.json'));
  for (const record of records) await endProcess(join(paths.runDir, record));
  await endCgroups(cgroupName(paths.name));
}

async function removeFiles(paths: LabPaths): Promise<void> {
  const { configFile, keyFile, knownHostsFile } = paths;
  for (const file of [configFile, keyFile, `${keyFile}.pub`, knownHostsFile]) await rm(file, { force: true });
  for (const root of await readdir(paths.rootsDir).catch(() => [])) await removeRoot(join(paths.rootsDir, root));
  await removeTree(paths.dir);
}

/** Once the last lab is gone, the machine is as it was before the first. */
async function leaveMachine(): Promise<readonly string[]> {
  if (existingLabs().length > 0) return [];
  const putBack = await restoreKernelValues(kernelValuesFile);
  await removeCgroupTree();
  await rmdir(labsDir).catch(() => undefined);
  return putBack;
}
