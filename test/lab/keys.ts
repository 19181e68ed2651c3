import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { run } from './commands.ts';
import type { LabPaths } from './paths.ts';

/** Makes an ed25519 key pair at `file` unless a whole one is there; returns the line of the public key. */
export async function ensureKeyPair(file: string, comment: string): Promise<string> {
  // ssh-keygen writes the public half last: without it the pair is half made.
  if (!existsSync(`${file}.pub`)) {
    await mkdir(dirname(file), { recursive: true });
    await rm(file, { force: true });
    await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', comment, '-f', file]);
  }
  return (await readFile(`${file}.pub`, 'utf8')).trim();
}

/** File of a host's own key. It outlives the host's root, so that known hosts stay known after a reset. */
export function hostKeyFile(paths: LabPaths, host: string): string {
  return join(paths.hostKeysDir, host, 'ssh_host_ed25519_key');
}

/** Writes known_hosts with the key of every host, under name and address. */
export async function writeKnownHosts(paths: LabPaths, hosts: ReadonlyMap<string, string>): Promise<void> {
  const lines: string[] = [];
  for (const [name, address] of hosts) {
    const [type = '', key = ''] = (await ensureKeyPair(hostKeyFile(paths, name), `root@${name}`)).split(' ');
    lines.push(`${address},${name} ${type} ${key}`);
  }
  await writeFile(paths.knownHostsFile, lines.join('\n') + '\n');
}
