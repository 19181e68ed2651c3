import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { cachedDir, contentKey, labCacheDir, lockFile } from './cache.ts';

const log = (): void => undefined;
let cache = '';

beforeEach(async () => {
  cache = await mkdtemp(join(tmpdir(), 'lab-cache-'));
  vi.stubEnv('INSTALLER_LAB_CACHE', cache);
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(cache, { recursive: true });
});

describe('labCacheDir', () => {
  it.each([
    [{ INSTALLER_LAB_CACHE: '/a', XDG_CACHE_HOME: '/b', HOME: '/c' }, '/a'],
    [{ XDG_CACHE_HOME: '/b', HOME: '/c' }, '/b/installer-lab'],
    [{ HOME: '/c' }, '/c/.cache/installer-lab'],
  ])('of %o is %s', (env, expected) => {
    expect(labCacheDir(env)).toBe(expected);
  });
});

describe('contentKey', () => {
  it('is the same whatever the order of object keys', () => {
    expect(contentKey({ a: 1, b: { c: 2, d: 3 } })).toBe(contentKey({ b: { d: 3, c: 2 }, a: 1 }));
    expect(contentKey({ a: 1, b: undefined })).toBe(contentKey({ a: 1 }));
  });

  it('changes with values, with the order of lists and with nesting', () => {
    const keys = [{ a: 1 }, { a: '1' }, { a: [1, 2] }, { a: [2, 1] }, { a: [[1], 2] }, null].map(contentKey);
    expect(new Set(keys).size).toBe(keys.length);
    for (const key of keys) expect(key).toMatch(/^[0-9a-f]{16}$/);
  });
});

describe('cachedDir', () => {
  it('builds once for callers at the same time, and not again later', async () => {
    const build = vi.fn(async (dir: string) => writeFile(join(dir, 'file'), 'content'));
    const options = { kind: 'kind/of', key: 'key', build, log };
    const dirs = await Promise.all([cachedDir(options), cachedDir(options)]);
    dirs.push(await cachedDir(options));
    expect(new Set(dirs)).toEqual(new Set([join(cache, 'kind/of/key')]));
    expect(build).toHaveBeenCalledTimes(1);
    expect(await readFile(join(cache, 'kind/of/key/file'), 'utf8')).toBe('content');
  });

  it('publishes nothing when the build fails, and builds again next time', async () => {
    const options = { kind: 'kind', key: 'key', log };
    const failing = cachedDir({ ...options, build: () => Promise.reject(new Error('compiler says no')) });
    await expect(failing).rejects.toThrow('compiler says no');
    expect((await readdir(join(cache, 'kind'))).filter((name) => !name.startsWith('.'))).toEqual([]);
    expect(await cachedDir({ ...options, build: () => Promise.resolve() })).toBe(join(cache, 'kind/key'));
  });

  it("removes a dead builder's work folder", async () => {
    await mkdir(join(cache, 'kind/key.tmp-1'), { recursive: true });
    await mkdir(join(cache, 'kind/key-of-another.tmp-1'), { recursive: true });
    await cachedDir({ kind: 'kind', key: 'key', build: () => Promise.resolve(), log });
    const names = (await readdir(join(cache, 'kind'))).filter((name) => !name.startsWith('.'));
    expect(names.toSorted()).toEqual(['key', 'key-of-another.tmp-1']);
  });
});

describe('lockFile', () => {
  it('waits for the holder', async () => {
    const path = join(cache, 'lock');
    const unlock = await lockFile(path);
    const order: string[] = [];
    const second = lockFile(path).then(async (release) => {
      order.push('second');
      await release();
    });
    await new Promise((settle) => setTimeout(settle, 100));
    order.push('first ends');
    await unlock();
    await second;
    expect(order).toEqual(['first ends', 'second']);
  });

  it('is free again when its holder was killed', async () => {
    const path = join(cache, 'lock');
    const script = `import { lockFile } from ${JSON.stringify(join(import.meta.dirname, 'cache.ts'))};
      await lockFile(${JSON.stringify(path)}); console.log('held'); setInterval(() => {}, 1000);`;
    const holder = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(holder.stdout, 'data');
    holder.kill('SIGKILL');
    const unlock = await lockFile(path);
    await unlock();
  });

  it('gives up when its wait is aborted', async () => {
    const path = join(cache, 'lock');
    const unlock = await lockFile(path);
    const aborting = new AbortController();
    const waiting = lockFile(path, log, aborting.signal);
    setTimeout(() => aborting.abort(new Error('enough')), 50);
    await expect(waiting).rejects.toThrow('enough');
    await unlock();
  });
});
