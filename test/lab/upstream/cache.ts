import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

/** What a cached directory is made of and how. */
export interface CachedDirOptions {
  /** Folder of the cache the entry belongs to, for example `rootfs` or `upstream/go`. */
  readonly kind: string;
  /** Name of the entry; it has to change whenever the content would (see `contentKey`). */
  readonly key: string;
  /** Fills the empty directory it is given; when it throws, nothing is published. */
  readonly build: (dir: string) => Promise<void>;
  readonly log: (line: string) => void;
  /** Aborting it ends the wait for another process that builds the same entry. */
  readonly signal?: AbortSignal | undefined;
}

/** The lab's cache folder: INSTALLER_LAB_CACHE, else `installer-lab` in the user's cache folder. It may not exist yet. */
export function labCacheDir(env: NodeJS.ProcessEnv = process.env): string {
  if (env.INSTALLER_LAB_CACHE) return resolve(env.INSTALLER_LAB_CACHE);
  return join(env.XDG_CACHE_HOME ?? join(env.HOME ?? homedir(), '.cache'), 'installer-lab');
}

/** 16 hex digits of the SHA-256 of a JSON value; the order of object keys does not count, that of lists does. */
export function contentKey(parts: unknown): string {
  return createHash('sha256').update(canonical(parts)).digest('hex').slice(0, 16);
}

/** Path of an entry, whether it exists or not. */
export function cachePath(kind: string, key: string): string {
  return join(labCacheDir(), kind, key);
}

/** Whether an entry is complete: entries appear by rename, so existing means complete. */
export async function isCached(kind: string, key: string): Promise<boolean> {
  return exists(cachePath(kind, key));
}

/**
 * Path of the entry, built first when it is missing. Built in a sibling folder and renamed, so an entry is whole or absent;
 * one process builds, others wait for it and take its result.
 */
export async function cachedDir(options: CachedDirOptions): Promise<string> {
  const target = cachePath(options.kind, options.key);
  if (await exists(target)) return target;
  await mkdir(dirname(target), { recursive: true });
  const unlock = await lockFile(join(dirname(target), `.${options.key}.lock`), options.log, options.signal);
  try {
    if (await exists(target)) return target;
    await removeLeftovers(target);
    const temporary = `${target}.tmp-${process.pid}`;
    await mkdir(temporary);
    try {
      await options.build(temporary);
      await rename(temporary, target);
    } catch (error) {
      await rm(temporary, { recursive: true, force: true });
      throw error;
    }
    return target;
  } finally {
    await unlock();
  }
}

/**
 * Takes an exclusive lock on a file and returns what releases it. The lock is the kernel's (flock), held by a child that ends
 * with our end of its pipe: however this process dies, no stale lock stays behind.
 */
export async function lockFile(
  path: string,
  log: (line: string) => void = () => undefined,
  signal?: AbortSignal,
): Promise<() => Promise<void>> {
  signal?.throwIfAborted();
  const child = spawn('flock', ['--exclusive', path, 'sh', '-c', 'echo held; exec cat'], {
    stdio: ['pipe', 'pipe', 'inherit'],
    // Ctrl-C reaches the whole foreground group: the lock must outlive it until we let go.
    detached: true,
  });
  const gone = new Promise<void>((settle) => child.once('close', () => settle()));
  const waiting = setTimeout(() => log(`waiting for another process that holds ${path}`), 1000);
  const onAbort = (): void => void child.kill();
  signal?.addEventListener('abort', onAbort);
  try {
    await new Promise<void>((held, fail) => {
      child.stdout.once('data', () => held());
      child.once('error', fail);
      child.once('close', (code) => fail(new Error(`no lock on ${path} (flock ended with ${code ?? 'a signal'})`)));
    });
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    clearTimeout(waiting);
    signal?.removeEventListener('abort', onAbort);
  }
  return async () => {
    child.stdin.end();
    await gone;
  };
}

/** Work folders of builders that died; only safe under the entry's lock. */
async function removeLeftovers(target: string): Promise<void> {
  const prefix = `${target.slice(dirname(target).length + 1)}.tmp-`;
  for (const name of await readdir(dirname(target))) {
    if (name.startsWith(prefix)) await rm(join(dirname(target), name), { recursive: true, force: true });
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (value !== null && typeof value === 'object') {
    const entries = Object.entries(value).filter(([, item]) => item !== undefined);
    entries.sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${entries.map(([name, item]) => `${JSON.stringify(name)}:${canonical(item)}`).join(',')}}`;
  }
  return JSON.stringify(value ?? null);
}
