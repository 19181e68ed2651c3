import { existsSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { labCacheDir } from './upstream/cache.ts';

/** The name of the lab that is meant when none is given. */
export const defaultLab = 'lab';

/** Folder of all labs of this checkout. */
export const labsDir: string = resolve(import.meta.dirname, '../../.lab');

/** Values of the kernel as they were before the first lab of this checkout. */
export const kernelValuesFile: string = join(labsDir, 'kernel-values.json');

/** Where things of a lab lie. The default lab's user files lie one folder up, to be found at once. */
export interface LabPaths {
  readonly name: string;
  /** State of the lab, gone after `down`. */
  readonly dir: string;
  /** What a user of the lab reads: cluster file, key, known hosts. */
  readonly filesDir: string;
  readonly stateFile: string;
  readonly configFile: string;
  readonly keyFile: string;
  readonly knownHostsFile: string;
  readonly rootsDir: string;
  readonly hostKeysDir: string;
  readonly runDir: string;
  readonly upstreamDir: string;
}

/** Paths of the lab of this name; nothing is made. Throws where the name cannot be one. */
export function labPaths(name: string): LabPaths {
  if (!/^[a-z][a-z0-9]{0,5}$/.test(name)) {
    throw new Error(`"${name}" cannot name a lab: 1 to 6 lower-case letters and digits, a letter first`);
  }
  const dir = join(labsDir, name);
  const filesDir = name === defaultLab ? labsDir : dir;
  return {
    name,
    dir,
    filesDir,
    stateFile: join(dir, 'state.json'),
    configFile: join(filesDir, 'clusterConfig.yaml'),
    keyFile: join(filesDir, 'id_ed25519'),
    knownHostsFile: join(filesDir, 'known_hosts'),
    rootsDir: join(dir, 'roots'),
    hostKeysDir: join(dir, 'host-keys'),
    runDir: join(dir, 'run'),
    upstreamDir: join(dir, 'upstream'),
  };
}

/** Labs of this checkout that are up, or that an interrupted run left half made. */
export function existingLabs(): string[] {
  if (!existsSync(labsDir)) return [];
  return readdirSync(labsDir, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && existsSync(join(labsDir, entry.name, 'run')))
    .map((entry) => entry.name);
}

/** File whose lock keeps runs for the same thing apart; it lies in the cache, so that `down` can remove all else. */
export function lockPath(what: string): string {
  return join(labCacheDir(), 'locks', `${what}.lock`);
}

/** Name of a host on this machine. It names the host's end of the cable too, which the kernel cuts at 15 characters. */
export function machineName(lab: string, host: string): string {
  const name = `${lab}-${host}`;
  if (name.length > 12)
    throw new Error(`lab and host names are too long together: ${name} has more than 12 characters`);
  return name;
}

/** The machine's end of a host's network cable. */
export function cableName(lab: string, host: string): string {
  return `vb-${machineName(lab, host)}`;
}
