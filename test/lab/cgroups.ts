import { existsSync, readFileSync } from 'node:fs';
import { mkdir, readFile, readdir, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { signalPid } from './processes.ts';
import { waitUntil } from './waiting.ts';

/**
 * Each host has a folder of its own in every cgroup hierarchy: kubelets whose pods share one tree would end each other's
 * pods. The folders also tell later what belongs to a lab when its files are gone.
 */
export interface CgroupHierarchy {
  readonly path: string;
  /** 2 for the unified hierarchy, also where it stands beside version 1. */
  readonly version: 1 | 2;
  readonly cpuset: boolean;
}

const tree = 'installer-lab';

/** The cgroup mounts in the text of /proc/mounts. */
export function parseHierarchies(mounts: string): CgroupHierarchy[] {
  return mounts
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([, path, type]) => (type === 'cgroup' || type === 'cgroup2') && path?.startsWith('/sys/fs/cgroup'))
    .map(([, path = '', type, options = '']) => ({
      path,
      version: type === 'cgroup2' ? 2 : 1,
      cpuset: type === 'cgroup' && options.split(',').includes('cpuset'),
    }));
}

/** The hierarchies of this machine. */
export function hierarchies(): CgroupHierarchy[] {
  return parseHierarchies(readFileSync('/proc/mounts', 'utf8'));
}

/** Whether the hosts see cgroup version 1: then kubelet and kubeadm need to be told so. */
export function usesCgroupV1(): boolean {
  return hierarchies().some(({ version }) => version === 1);
}

/** Folder of a lab, or of one of its hosts, below each hierarchy; `services` holds what runs for the lab itself. */
export function cgroupName(lab: string, part?: string): string {
  return part === undefined ? join(tree, lab) : join(tree, lab, part);
}

/** The folders of one name, one a hierarchy. */
export function cgroupFolders(name: string): string[] {
  return hierarchies().map(({ path }) => join(path, name));
}

/** Makes the folders down to `name`, usable: version 1 cpusets start empty, version 2 passes controllers on only when told. */
export async function makeCgroups(name: string): Promise<void> {
  for (const hierarchy of hierarchies()) {
    let folder = hierarchy.path;
    for (const part of name.split('/')) {
      const parent = folder;
      folder = join(parent, part);
      if (hierarchy.version === 2) await passControllersOn(parent);
      await mkdir(folder, { recursive: true });
      if (!hierarchy.cpuset) continue;
      for (const file of ['cpuset.cpus', 'cpuset.mems']) {
        const set = await readFile(join(folder, file), 'utf8');
        if (set.trim() === '') await writeFile(join(folder, file), await readFile(join(parent, file), 'utf8'));
      }
    }
  }
}

/** Every process in the folders of this name and below. */
export async function cgroupPids(name: string): Promise<number[]> {
  const pids = new Set<number>();
  for (const folder of cgroupFolders(name)) {
    for (const sub of await foldersBelow(folder)) {
      const text = await readFile(join(sub, 'cgroup.procs'), 'utf8').catch(() => '');
      for (const pid of text.split('\n')) if (pid !== '' && pid !== '0') pids.add(Number(pid));
    }
  }
  return [...pids];
}

/** Kills every process of the folders until none is left, then removes the folders. */
export async function endCgroups(name: string): Promise<void> {
  await waitUntil(`the end of all processes in cgroup ${name}`, 15_000, async () => {
    const pids = await cgroupPids(name);
    for (const pid of pids) signalPid(pid, 'SIGKILL');
    return pids.length === 0;
  });
  await waitUntil(`cgroup ${name} to be empty`, 5000, async () => {
    for (const folder of cgroupFolders(name)) {
      for (const sub of (await foldersBelow(folder)).reverse()) await rmdir(sub).catch(() => undefined);
    }
    return !cgroupFolders(name).some((folder) => existsSync(folder));
  });
}

/** Removes the folder that holds all labs, unless one of them still uses it. */
export async function removeCgroupTree(): Promise<void> {
  for (const folder of cgroupFolders(tree)) await rmdir(folder).catch(() => undefined);
}

/** A folder and all below it, parents first. */
async function foldersBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const below = await Promise.all(
    entries.filter((e) => e.isDirectory()).map((e) => foldersBelow(join(folder, e.name))),
  );
  return existsSync(folder) ? [folder, ...below.flat()] : [];
}

async function passControllersOn(folder: string): Promise<void> {
  const read = (file: string): Promise<string> => readFile(join(folder, file), 'utf8').catch(() => '');
  const [available, enabled] = await Promise.all([read('cgroup.controllers'), read('cgroup.subtree_control')]);
  const missing = available.split(/\s+/).filter((name) => name !== '' && !enabled.split(/\s+/).includes(name));
  // One at a time: where one is refused the others still pass.
  for (const name of missing) {
    await writeFile(join(folder, 'cgroup.subtree_control'), `+${name}`).catch(() => undefined);
  }
}
