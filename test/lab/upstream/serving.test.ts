import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { byteRange } from './byte-range.ts';
import { isRunning, readPidFile, startDetached, stopRecorded, until } from './processes.ts';

let work = '';

beforeEach(async () => {
  work = await mkdtemp(join(tmpdir(), 'lab-serving-'));
});

afterEach(async () => {
  await rm(work, { recursive: true });
});

describe('byteRange', () => {
  it.each([
    [undefined, 'whole'],
    ['bytes=0-0', { start: 0, end: 0 }],
    ['bytes=5-', { start: 5, end: 9 }],
    ['bytes=5-100', { start: 5, end: 9 }],
    ['bytes=-3', { start: 7, end: 9 }],
    ['bytes=-30', { start: 0, end: 9 }],
    ['bytes=-0', 'unsatisfiable'],
    ['bytes=10-', 'unsatisfiable'],
    ['bytes=7-5', 'whole'],
    ['bytes=0-1,3-4', 'whole'],
    ['bytes=-', 'whole'],
  ])('%s of ten bytes', (header, expected) => {
    expect(byteRange(header, 10)).toEqual(expected);
  });
});

describe('detached processes', () => {
  it('are found again by their pid file and ended, even when stopped', async () => {
    const pidFile = join(work, 'sleep.pid');
    const { pid } = await startDetached(['sleep', '60'], pidFile, join(work, 'log'));
    process.kill(pid, 'SIGSTOP');
    const recorded = await readPidFile(pidFile);
    expect(recorded).toMatchObject({ pid, argv: ['sleep', '60'] });
    expect(recorded && (await isRunning(recorded))).toBe(true);
    await stopRecorded(pidFile);
    expect(recorded && (await isRunning(recorded))).toBe(false);
    expect(await readPidFile(pidFile)).toBeUndefined();
  });

  it('are left alone when the number is that of another process', async () => {
    const pidFile = join(work, 'sleep.pid');
    const own = await startDetached(['sleep', '60'], pidFile, join(work, 'log'));
    const stale = join(work, 'stale.pid');
    await writeFile(stale, JSON.stringify({ ...own, startTime: '1' }));
    await stopRecorded(stale);
    expect(await isRunning(own)).toBe(true);
    await stopRecorded(pidFile);
  });

  it('need no pid file to be stopped', async () => {
    await expect(stopRecorded(join(work, 'none.pid'))).resolves.toBeUndefined();
  });
});

describe('the download server', () => {
  it('serves whole files, ranges and what has not changed, and logs each request', async () => {
    const [first, second] = [join(work, 'one'), join(work, 'two')];
    await mkdir(join(first, 'dl.k8s.io'), { recursive: true });
    await mkdir(join(second, 'github.com'), { recursive: true });
    await writeFile(join(work, 'secret'), 'secret');
    await writeFile(join(second, 'github.com/file'), '0123456789');
    const port = await freePort();
    const [pidFile, log] = [join(work, 'server.pid'), join(work, 'requests')];
    const server = join(import.meta.dirname, 'downloads-server.ts');
    const listen = ['--address', '127.0.0.1', '--port', `${port}`, '--log', log, '--root', first, '--root', second];
    await startDetached([process.execPath, server, ...listen], pidFile, join(work, 'log'));
    try {
      const at = (path: string, init?: RequestInit): Promise<Response> =>
        fetch(`http://127.0.0.1:${port}/${path}`, init);
      const up = () =>
        at('').then(
          () => true,
          () => false,
        );
      expect(await until(up, 10_000)).toBe(true);
      const whole = await at('github.com/file');
      expect(await whole.text()).toBe('0123456789');
      const part = await at('github.com/file', { headers: { range: 'bytes=2-4' } });
      expect([part.status, part.headers.get('content-range'), await part.text()]).toEqual([206, 'bytes 2-4/10', '234']);
      const etag = whole.headers.get('etag') ?? '';
      expect((await at('github.com/file', { headers: { 'if-none-match': etag } })).status).toBe(304);
      const head = await at('github.com/file', { method: 'HEAD' });
      expect([head.headers.get('content-length'), await head.text()]).toEqual(['10', '']);
      expect((await at('github.com/file', { headers: { range: 'bytes=10-' } })).status).toBe(416);
      expect((await at('%2e%2e/secret')).status).toBe(404);
      expect((await at('dl.k8s.io')).status).toBe(404);
      expect((await at('%zz')).status).toBe(400);
      expect((await at('github.com/file', { method: 'DELETE' })).status).toBe(405);
      const lines = (await readFile(log, 'utf8'))
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as object);
      expect(lines).toContainEqual(
        expect.objectContaining({ method: 'GET', url: '/github.com/file', status: 206, bytes: 3, outcome: 'done' }),
      );
    } finally {
      await stopRecorded(pidFile);
    }
  });
});

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((listening) => probe.listen(0, '127.0.0.1', listening));
  const { port } = probe.address() as AddressInfo;
  await new Promise((closed) => probe.close(closed));
  return port;
}
