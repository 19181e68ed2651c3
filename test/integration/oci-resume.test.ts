import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { copy } from '../../src/oci/copy.ts';
import { createLayout, partialPath } from '../../src/oci/layout.ts';
import { blobPath } from '../../src/oci/layout-reader.ts';
import { readBlob } from '../../src/oci/read-blob.ts';
import { parseReference, type Reference } from '../../src/oci/reference.ts';
import { createRegistryStore } from '../../src/oci/registry.ts';
import type { WritableOciStore } from '../../src/oci/store.ts';
import { startCuttingProxy, type CuttingProxy } from '../support/oci/cutting-proxy.ts';
import { makeImage, putImage, randomBlob, type TestImage } from '../support/oci/images.ts';
import { TestRegistry } from '../support/oci/registry.ts';

const cuts = 20;
const kills = 10;
/** What may be lost of a transfer: what was on the line, and what waited to be written. Without going on it would be all of it. */
const chunkBytes = 1024 * 1024;
/** Transfers at once of the processes that are killed. */
const jobs = 2;
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
  // What waited in the buffers of this machine when a connection broke had not gone over the line.
  const twice = proxy.passedBytes - total;
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

const minutesMs = 180_000;

/** Kills a process when `progress` has grown by so much since it began, ten times, and lets it end then. */
async function killOften(script: string, args: readonly string[], progress: () => Promise<number>): Promise<void> {
  const run = [join(import.meta.dirname, '..', 'support', 'oci', script), ...args];
  for (let count = 0; count < kills; count += 1) {
    const goal = (await progress()) + randomInt(3_000_000, 5_500_000);
    const child = spawn(process.execPath, run, { stdio: ['ignore', 'ignore', 'inherit'] });
    const closed = once(child, 'close');
    while ((await progress()) < goal && child.exitCode === null) await wait(1);
    expect(child.exitCode, 'it ends before it is killed').toBe(null);
    child.kill('SIGKILL');
    await closed;
  }
  expect(await once(spawn(process.execPath, run, { stdio: 'inherit' }), 'close')).toEqual([0, null]);
}

function reportKills(what: string, twice: number): void {
  process.stdout.write(
    `${what}: killed ${kills} times; ${total} bytes, and ${twice} of them twice, ${Math.round(twice / kills)} a kill\n`,
  );
}

it('goes on with a pull whose process was killed, 10 times', { timeout: minutesMs }, async () => {
  await putImage(remote(), at(registry.host), image);
  const layout = await createLayout(dir);
  proxy = await startCuttingProxy(registry.port, 'down', []);
  /** What is on the disk: what the registry has sent may be on its way still. */
  const onDisk = async (): Promise<number> => {
    const paths = image.blobs.map(({ descriptor }) => descriptor.digest);
    const files = paths.flatMap((digest) => [join(dir, blobPath(digest)), partialPath(dir, digest)]);
    const sizes = await Promise.all(
      files.map((file) =>
        stat(file).then(
          ({ size }) => size,
          () => 0,
        ),
      ),
    );
    return sizes.reduce((sum, size) => sum + size, 0);
  };

  await killOften('pull.ts', [`${proxy.host}/app:v1`, dir, 'example.com/app:v1'], onDisk);

  await verify(layout, local);
  const twice = proxy.passedBytes - total;
  reportKills('pull', twice);
  expect(twice).toBeLessThanOrEqual(kills * jobs * chunkBytes);
});

it(
  'goes on with a push whose process was killed, 10 times: blobs that are there are not sent again',
  { timeout: minutesMs },
  async () => {
    const layout = await createLayout(dir);
    image = makeImage(Array.from({ length: 70 }, () => randomBlob(chunkBytes)));
    total = image.blobs.reduce((sum, { bytes }) => sum + bytes.length, 0);
    await putImage(layout, local, image);
    proxy = await startCuttingProxy(registry.port, 'up', []);

    await killOften('push.ts', [dir, 'example.com/app:v1', `${proxy.host}/app:v1`], () =>
      Promise.resolve(
        image.blobs.reduce((sum, { descriptor }) => sum + (registry.blobs.get(descriptor.digest)?.length ?? 0), 0),
      ),
    );

    await verify(remote(), at(registry.host));
    const twice = proxy.passedBytes - total;
    reportKills('push', twice);
    expect(twice).toBeLessThanOrEqual(kills * jobs * chunkBytes);
  },
);
