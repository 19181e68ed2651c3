import { spawn } from 'node:child_process';
import { createHash, randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { ClusterConfig } from '../../src/spec/schema.ts';
import { openSite, versions, type Site } from '../support/bundle/site.ts';
import { startCuttingProxy, type CuttingProxy } from '../support/oci/cutting-proxy.ts';

const cuts = 20;
const kills = 10;
let dir: string;
let site: Site | undefined;
let proxy: CuttingProxy | undefined;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bundle-resume-'));
});

afterEach(async () => {
  await proxy?.close();
  proxy = undefined;
  await site?.close();
  site = undefined;
  await rm(dir, { recursive: true, force: true });
});

async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

/** What one cut may cost on the line. */
const chunkBytes = 1024 * 1024;

/** A cluster file that has everything of one kind fetched through a proxy. */
function through({ config }: Site, kind: 'images' | 'files', host: string): ClusterConfig {
  const { runtime, artifacts } = config.spec;
  const mirrors = [`http://${host}`];
  const registries = Object.fromEntries(
    Object.entries(runtime.registries).map(([name, item]) => [name, { ...item, mirrors }]),
  );
  const downloads = Object.fromEntries(Object.keys(artifacts.mirrors).map((name) => [name, `http://${host}/${name}`]));
  const spec =
    kind === 'images' ? { runtime: { ...runtime, registries } } : { artifacts: { ...artifacts, mirrors: downloads } };
  return { ...config, spec: { ...config.spec, ...spec } };
}

it.each([
  ['images', { layerBytes: 6_000_000 }],
  ['files', { layerBytes: 1000, fileBytes: 5_000_000 }],
] as const)('goes on where the connection was cut, 20 times: %s', { timeout: 180_000 }, async (kind, sizes) => {
  site = await openSite(dir, sizes);
  const direct = await site.create({ path: join(dir, 'direct.tar') });
  const server = kind === 'images' ? site.registry : site.files;
  const sentOnce = server.sentBytes;
  const offsets = Array.from({ length: cuts }, () => randomInt(200_000, sentOnce));
  proxy = await startCuttingProxy(server.port, 'down', offsets);

  const result = await site.create({
    path: join(dir, 'cut.tar'),
    config: through(site, kind, proxy.host),
    attempts: 30,
    patience: { baseDelayMs: 1, maxDelayMs: 20, attempts: 30 },
  });

  const twice = proxy.passedBytes - sentOnce;
  process.stdout.write(
    `create, ${kind}: ${proxy.cuts} cuts at ${offsets.toSorted((a, b) => a - b).join(' ')}; ${twice} bytes went over the line twice, ${Math.round(twice / cuts)} a cut, headers among them\n`,
  );
  expect(proxy.cuts).toBe(cuts);
  expect(sentOnce).toBeGreaterThan(1.3 * cuts * chunkBytes);
  expect(twice).toBeLessThanOrEqual(cuts * chunkBytes);
  // Whatever had come is kept: not a byte of it is asked for again.
  expect(result.fetchedBytes).toBe(direct.fetchedBytes);
  expect(await sha256Of(join(dir, 'cut.tar'))).toBe(await sha256Of(join(dir, 'direct.tar')));
});

it.each([
  ['one file', []],
  ['parts', ['9000000']],
])('goes on after SIGKILL at 10 random moments: %s', { timeout: 180_000 }, async (_, more) => {
  const opened = await openSite(dir, { layerBytes: 12_000_000, fileBytes: 2_000_000 });
  site = opened;
  const script = join(import.meta.dirname, '../support/bundle/create.ts');
  const args = (path: string): string[] => [script, opened.clusterFile, join(dir, path), ...more];
  /** Bytes that a whole run says it has fetched. */
  const run = async (path: string): Promise<number> => {
    const child = spawn(process.execPath, args(path), { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.on('data', (data: Buffer) => (text += data.toString()));
    expect(await once(child, 'close')).toEqual([0, null]);
    return Number(text);
  };
  const total = await run('whole.tar');
  const sentOnce = opened.sentBytes();
  let killed = 0;
  for (let attempt = 0; killed < kills; attempt += 1) {
    if (attempt > 4 * kills) throw new Error('it ends before it can be killed');
    // By what has come to the disk: what the registry has sent may lie in buffers still.
    const before = await notedBytes(join(dir, 'killed.tar'));
    const goal = before + randomInt(100_000, Math.floor(total / (kills + 2)));
    const child = spawn(process.execPath, args('killed.tar'), { stdio: ['ignore', 'ignore', 'inherit'] });
    const closed = once(child, 'close');
    while ((await notedBytes(join(dir, 'killed.tar'))) < goal && child.exitCode === null) await wait(1);
    if (child.exitCode !== null) break;
    child.kill('SIGKILL');
    await closed;
    killed += 1;
  }
  const kept = await notedBytes(join(dir, 'killed.tar'));
  const last = await run('killed.tar');

  const names = (await readdir(dir)).filter((name) => name.startsWith('killed.tar'));
  for (const name of names) {
    expect(await sha256Of(join(dir, name))).toBe(await sha256Of(join(dir, name.replace('killed', 'whole'))));
  }
  const inFlight = opened.sentBytes() - 2 * sentOnce;
  process.stdout.write(
    `killed ${killed} times, ${kept} of ${total} bytes kept, ${last} fetched in the last run; ${inFlight} bytes were lost in the buffers of six connections, ${Math.round(inFlight / killed)} a kill\n`,
  );
  expect(killed).toBe(kills);
  expect(names).toHaveLength((await readdir(dir)).filter((name) => name.startsWith('whole.tar')).length);
  expect(kept).toBeGreaterThan(kills * 100_000);
  // The last run asks for what the journal does not have, and for not a byte more.
  expect(kept + last).toBe(total);
});

/** Bytes that the journal beside an unfinished bundle says are there. */
async function notedBytes(path: string): Promise<number> {
  const lines = (await readFile(`${path}.partial.journal`, 'utf8').catch(() => '')).split('\n').slice(0, -1);
  const notes = lines.flatMap((line) => [...line.matchAll(/^(sha256:\w{64}) (\d+)$/g)]);
  const sizes = new Map(notes.map(([, digest, bytes]) => [digest, Number(bytes)]));
  return [...sizes.values()].reduce((sum, bytes) => sum + bytes, 0);
}

it('believes nothing that was written before the machine started anew, and fetches only what is not there', async () => {
  site = await openSite(dir, { layerBytes: 300_000 });
  const path = join(dir, 'site.tar');
  const whole = await site.create({ path: join(dir, 'whole.tar') });
  const stop = new AbortController();
  let left = 8;
  site.registry.fault = (asked) => {
    if (asked.path.includes('/blobs/') && left-- === 0) stop.abort(new Error('enough'));
    return false;
  };
  await expect(site.create({ path, jobs: 1, signal: stop.signal })).rejects.toThrow('enough');
  site.registry.fault = undefined;
  const journal = `${path}.partial.journal`;
  await writeFile(journal, (await readFile(journal, 'utf8')).replaceAll(/"boot":"[^"]*"/g, '"boot":"another"'));
  // As after a power cut: the journal says more than the disk has.
  const digests = [...(await readFile(journal, 'utf8')).matchAll(/^(sha256:\w+) \d+$/gm)].map(([, digest]) => digest);
  const entry = whole.manifest.blobs.find(({ digest }) => digest === digests[3]);
  const bytes = await readFile(`${path}.partial`);
  const at = bytes.indexOf(`blobs/sha256/${digests[3]?.slice(7) ?? ''}`) + 512;
  await writeFile(`${path}.partial`, bytes.fill(0, at, at + (entry?.sizeBytes ?? 0)));

  const result = await site.create({ path });

  expect(result.fetchedBytes).toBeLessThan(whole.fetchedBytes);
  expect(await sha256Of(path)).toBe(await sha256Of(join(dir, 'whole.tar')));
});

it('takes what an earlier run has fetched for another table of contents', async () => {
  site = await openSite(dir, { layerBytes: 300_000 });
  const path = join(dir, 'site.tar');
  const whole = await site.create({ path: join(dir, 'whole.tar'), upgradeTo: versions[1] });
  const stop = new AbortController();
  let left = 12;
  site.registry.fault = (asked) => {
    if (asked.path.includes('/blobs/') && left-- === 0) stop.abort(new Error('enough'));
    return false;
  };
  await expect(site.create({ path, jobs: 1, signal: stop.signal })).rejects.toThrow('enough');
  site.registry.fault = undefined;

  const result = await site.create({ path, upgradeTo: versions[1] });

  expect(result.fetchedBytes).toBeLessThan(whole.fetchedBytes - 1_000_000);
  expect(result.fetchedBytes + result.keptBytes).toBe(whole.fetchedBytes);
  expect(await sha256Of(path)).toBe(await sha256Of(join(dir, 'whole.tar')));
  expect((await readdir(dir)).filter((name) => name.includes('partial'))).toEqual([]);
});
