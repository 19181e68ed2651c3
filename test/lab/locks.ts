import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Log } from './commands.ts';
import { lockPath } from './paths.ts';
import { lockFile } from './upstream/cache.ts';

/** Does the work while no other process does work under the same name; waits for one that does, and says so. */
export async function withLock<T>(name: string, log: Log, work: () => Promise<T>): Promise<T> {
  const path = lockPath(name);
  await mkdir(dirname(path), { recursive: true });
  const unlock = await lockFile(path, log);
  try {
    return await work();
  } finally {
    await unlock();
  }
}
