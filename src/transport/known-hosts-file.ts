import { mkdir, open, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { InstallerError, messageOf } from '../errors.ts';
import { judgeHostKey, parseKnownHosts, renderKnownHostsLine } from './known-hosts.ts';
import type { HostEndpoint, KnownHosts } from './known-hosts.ts';

/** Appends of this process to one file, one after the other: the key of the map is the path. */
const appending = new Map<string, Promise<void>>();

/** What files held when they were read last, by path. */
const parsed = new Map<string, { readonly text: string; readonly value: KnownHosts }>();

/** Reads a known_hosts file; a file that is not there is an empty one. Fails with SSH_KNOWN_HOSTS. */
export async function loadKnownHosts(file: string, host: string): Promise<KnownHosts> {
  try {
    const text = await readFile(file, 'utf8');
    // All hosts of a run share one file: it is taken apart again only when it has changed.
    const known = parsed.get(file);
    if (known?.text === text) return known.value;
    const value = parseKnownHosts(text);
    parsed.set(file, { text, value });
    return value;
  } catch (error) {
    if (isMissing(error)) return { entries: [], ignored: [] };
    throw fileError(`the known hosts in ${file} cannot be read`, file, host, error);
  }
}

/**
 * Records a host's key durably. A line is one write to a file opened for appending, so lines of other processes stay whole;
 * within this process a key already recorded in the meantime is not written twice. Fails with SSH_KNOWN_HOSTS.
 */
export async function appendKnownHost(file: string, endpoint: HostEndpoint, key: Buffer, host: string): Promise<void> {
  const before = appending.get(file) ?? Promise.resolve();
  const mine = before.catch(() => undefined).then(() => append(file, endpoint, key, host));
  appending.set(file, mine);
  try {
    await mine;
  } finally {
    if (appending.get(file) === mine) appending.delete(file);
  }
}

async function append(file: string, endpoint: HostEndpoint, key: Buffer, host: string): Promise<void> {
  try {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    const handle = await open(file, 'a+', 0o600);
    try {
      const text = await handle.readFile('utf8');
      const verdict = judgeHostKey(parseKnownHosts(text), endpoint, key).kind;
      if (verdict === 'known') return;
      // Never a second key for one host: then one of two connections that began together met somebody else.
      if (verdict !== 'unknown') throw new Error('another key of the host was recorded meanwhile');
      const separator = text === '' || text.endsWith('\n') ? '' : '\n';
      await handle.write(`${separator}${renderKnownHostsLine(endpoint, key)}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw fileError(`the key of the host cannot be recorded in ${file}`, file, host, error);
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

function fileError(message: string, file: string, host: string, cause: unknown): InstallerError {
  return new InstallerError({
    code: 'SSH_KNOWN_HOSTS',
    message: `${message}: ${messageOf(cause)}`,
    remedy: `Make ${file} readable and writable for the user who runs this command, or name another file.`,
    host,
    cause,
  });
}
