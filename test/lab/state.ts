import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import * as z from 'zod';
import { hostAddress } from './network.ts';
import type { LabPaths } from './paths.ts';

const schema = z.object({
  prefix: z.string(),
  hostNames: z.array(z.string()),
  /** Hosts of the rpm family. */
  rpmHostNames: z.array(z.string()).default([]),
  /** Password that `pwsudo` gives to sudo on every host. */
  sudoPassword: z.string(),
  minors: z.array(z.string()),
  upstream: z.boolean(),
  apt: z.object({ url: z.string(), suite: z.string(), component: z.string(), keyFile: z.string() }).optional(),
  rpm: z.object({ url: z.string(), keyFile: z.string() }).optional(),
});

/** What a lab keeps about itself between commands. */
export type LabState = z.infer<typeof schema>;

/** State of a lab; undefined where there is none that can be read. */
export async function findState(paths: LabPaths): Promise<LabState | undefined> {
  const text = await readFile(paths.stateFile, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  return schema.parse(JSON.parse(text));
}

/** Writes the state whole: a killed run leaves the old one. */
export async function writeState(paths: LabPaths, state: LabState): Promise<void> {
  await mkdir(paths.dir, { recursive: true });
  await writeFile(`${paths.stateFile}.new`, JSON.stringify(state, undefined, 2) + '\n', { mode: 0o600 });
  await rename(`${paths.stateFile}.new`, paths.stateFile);
}

export function newPassword(): string {
  return randomBytes(9).toString('base64url');
}

/** The names of the first hosts of a lab. */
export function hostNames(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `node${index + 1}`);
}

/** The names of the first hosts of the rpm family. */
export function rpmHostNames(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `rpm${index + 1}`);
}

/** Hosts of the rpm family are counted from here, so that neither kind moves when the other grows. */
const firstRpmIndex = 100;

/** Addresses by name, in the order of the hosts. */
export function addressesOf(state: LabState): Map<string, string> {
  return new Map([
    ...state.hostNames.map((name, index) => [name, hostAddress(state.prefix, index)] as const),
    ...state.rpmHostNames.map((name, index) => [name, hostAddress(state.prefix, firstRpmIndex + index)] as const),
  ]);
}
