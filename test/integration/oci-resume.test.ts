import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { copy } from '../../src/oci/copy.ts';
import { createLayout } from '../../src/oci/layout.ts';
import { readBlob } from '../../src/oci/read-blob.ts';
import { parseReference, type Reference } from '../../src/oci/reference.ts';
import { createRegistryStore } from '../../src/oci/registry.ts';
import type { WritableOciStore } from '../../src/oci/store.ts';
import { startCuttingProxy, type CuttingProxy } from '../support/oci/cutting-proxy.ts';
import { makeImage, putImage, randomBlob, type TestImage } from '../support/oci/images.ts';
import { TestRegistry } from '../support/oci/registry.ts';

const cuts = 20;
/** What one cut may cost: about what the buffers of a connection hold. */
const chunkBytes = 8 * 1024 * 1024;
const local = parseReference('example.com/app:v1');
let registry: TestRegistry;
let dir: string;
let image: TestImage;
let total: number;
let proxy: CuttingProxy | undefined;

beforeEach(async () => {
  registry = await new TestRegistry().start();
  dir = await mkdtemp(join(tmpdir(), 'oci-resume-'));
  image = makeImage([randomBlob(40_000_000), randomBlob(20_000_000), randomBlob(3_000_000)]);
  total = image.blobs.reduce((sum, { bytes }) => sum + bytes.length, 0);
});

afterEach(async () => {
  await proxy?.close();
  proxy = undefined;
  await registry.close();
  await rm(dir, { recursive: true, force: true });
});

function remote(): WritableOciStore {
  return createRegistryStore({ patience: { baseDelayMs: 1, maxDelayMs: 20, attempts: 10 } });
}

function at(host: string): Reference {
  return parseReference(`${host}/app:v1`);
}

/** Offsets anywhere in the bytes, different in each run. */
function randomOffsets(): number[] {
  return Array.from({ length: cuts }, () => randomInt(1000, total - 1000));
}

function report(what: string, twice: number, offsets: readonly number[]): void {
  const list = [...offsets].sort((a, b) => a - b).join(' ');
  process.stdout.write(
    `${what}: ${cuts} cuts at ${list}; ${twice} bytes transferred twice, ${Math.round(twice / cuts)} a cut\n`,
  );
}

async function verify(store: WritableOciStore, name: Reference): Promise<void> {
  for (const { descriptor, bytes } of image.blobs) {
    expect((await readBlob(store, name, descriptor)).equals(bytes)).toBe(true);
  }
}

it('goes on where a pull was cut, 20 times', async () => {
  await putImage(remote(), at(registry.host), image);
  const offsets = randomOffsets();
  proxy = await startCuttingProxy(registry.port, 'down', offsets);
  const layout = await createLayout(dir);

  const result = await copy(remote(), layout, [{ from: at(proxy.host), to: local }], { attempts: 10, baseDelayMs: 1 });

  expect(result.images[0]?.error).toBeUndefined();
  expect(proxy.cuts).toBe(cuts);
  await verify(layout, local);
  // Headers are counted with the bytes, so this is a little more than went twice.
  const twice = Math.max(proxy.passedBytes, result.sentBytes) - total;
  report('pull', twice, offsets);
  expect(twice).toBeLessThanOrEqual(cuts * chunkBytes);
});

it('goes on where a push was cut, 20 times', async () => {
  const layout = await createLayout(dir);
  await putImage(layout, local, image);
  const offsets = randomOffsets();
  proxy = await startCuttingProxy(registry.port, 'up', offsets);

  const result = await copy(layout, remote(), [{ from: local, to: at(proxy.host) }], { attempts: 10, baseDelayMs: 1 });

  expect(result.images[0]?.error).toBeUndefined();
  expect(proxy.cuts).toBe(cuts);
  await verify(remote(), at(registry.host));
  const twice = Math.max(proxy.passedBytes, result.sentBytes) - total;
  report('push', twice, offsets);
  expect(twice).toBeLessThanOrEqual(cuts * chunkBytes);
});

it('sends a blob anew to a registry that forgets uploads whose connection broke', async () => {
  await registry.close();
  registry = await new TestRegistry({ forgetsUploads: true }).start();
  const layout = await createLayout(dir);
  await putImage(layout, local, image);
  proxy = await startCuttingProxy(registry.port, 'up', [10_000_000, 30_000_000]);

  const result = await copy(layout, remote(), [{ from: local, to: at(proxy.host) }], { baseDelayMs: 1 });

  expect(result.images[0]?.error).toBeUndefined();
  expect(proxy.cuts).toBe(2);
  await verify(remote(), at(registry.host));
});

it('goes on after the process was killed, 10 times', async () => {
  await putImage(remote(), at(registry.host), image);
  registry.sentBytes = 0;
  const script = join(import.meta.dirname, '..', 'support', 'oci', 'pull.ts');
  const args = [script, `${registry.host}/app:v1`, dir, 'example.com/app:v1'];
  let kills = 0;
  for (let attempt = 0; kills < 10; attempt += 1) {
    if (attempt > 40) throw new Error('the copy ends before it can be killed');
    const before = registry.sentBytes;
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
    const closed = once(child, 'close');
    const goal = before + randomInt(100_000, 6_000_000);
    while (registry.sentBytes < goal && child.exitCode === null) await wait(1);
    if (child.exitCode !== null) break;
    child.kill('SIGKILL');
    await closed;
    kills += 1;
  }
  const sentBefore = registry.sentBytes;
  const [code] = (await once(spawn(process.execPath, args, { stdio: 'inherit' }), 'close')) as [number];

  const layout = await createLayout(dir);
  expect(code).toBe(0);
  expect(kills).toBe(10);
  await verify(layout, local);
  const twice = registry.sentBytes - total;
  process.stdout.write(
    `killed ${kills} times; ${sentBefore} bytes before the last run, ${registry.sentBytes} in all; ${twice} sent twice, ${Math.round(twice / kills)} a kill\n`,
  );
  expect(twice).toBeLessThanOrEqual(kills * chunkBytes);
});
