import { mkdtemp, open, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openBundle } from '../../src/bundle/bundle.ts';
import type { PlannedEntry } from '../../src/bundle/tar-plan.ts';
import { verifyBundle, type VerifyResult } from '../../src/bundle/verify.ts';
import { createEmitter } from '../../src/report/emitter.ts';
import type { RunEvent } from '../../src/report/events.ts';
import { formatOutcome, runBundleCreate } from '../../src/workflows/bundle-create.ts';
import { openSite, type Site } from '../support/bundle/site.ts';

let dir: string;
let site: Site;
let path: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bundle-verify-content-'));
  site = await openSite(dir, { layerBytes: 8000, fileBytes: 3001 });
  path = join(dir, 'site.tar');
});

afterEach(async () => {
  await site.close();
  await rm(dir, { recursive: true, force: true });
});

async function flip(file: string, at: number): Promise<void> {
  const handle = await open(file, 'r+');
  const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, at);
  await handle.write(Buffer.from([(buffer[0] ?? 0) ^ 0x10]), 0, 1, at);
  await handle.close();
}

/** Where the blob of a binary lies. */
async function entryOfBinary(): Promise<PlannedEntry> {
  const bundle = await openBundle(path);
  await bundle.close();
  const item = bundle.manifest.items.find(({ kind }) => kind === 'binary');
  const entry = item && bundle.plan.blobs.get(item.digest);
  if (entry === undefined) throw new Error('the bundle holds no binary');
  return entry;
}

it.each<[string, (entry: PlannedEntry, sizeBytes: number) => number, number]>([
  ['within a blob', ({ offset }) => offset + 1000, 1],
  ['in the header of a blob', ({ headerOffset }) => headerOffset + 3, 0],
  ['behind a blob', ({ offset, sizeBytes }) => offset + sizeBytes + 1, 0],
  ['in the last bytes', (_entry, sizeBytes) => sizeBytes - 5, 0],
])('a byte that is flipped %s is mended where it is asked for, and else not looked at', async (_name, at, fetches) => {
  const made = await site.create({ path });
  const before = await readFile(path);
  const entry = await entryOfBinary();
  await flip(path, at(entry, made.sizeBytes));
  const damaged = await readFile(path);

  expect(await site.create({ path })).toMatchObject({ wasThere: true, fetchedBytes: 0 });
  expect((await readFile(path)).equals(damaged)).toBe(true);

  const found: VerifyResult[] = [];
  const sent = site.sentBytes();
  const mended = await site.create({ path, verifyContent: true, onDamaged: (damage) => found.push(damage) });

  expect(found).toHaveLength(1);
  expect(mended).toMatchObject({ wasThere: false, fetchedBytes: fetches * entry.sizeBytes });
  // Manifests are small and are asked for each time.
  expect(site.files.sentBytes + site.registry.sentBytes - sent).toBe(fetches * entry.sizeBytes);
  expect((await readFile(path)).equals(before)).toBe(true);
});

it('mends a bundle in parts, and one whose source is needed for several blobs', async () => {
  const partBytes = 100_000;
  const made = await site.create({ path, partBytes });
  const bundle = await openBundle(path);
  const blobs = [...bundle.plan.blobs.values()].filter(({ sizeBytes }) => sizeBytes > 2000).slice(0, 3);
  await bundle.close();
  for (const { offset } of blobs) await flip(made.paths[Math.floor(offset / partBytes)] ?? '', offset % partBytes);

  const mended = await site.create({ path, partBytes, verifyContent: true });

  expect(mended.mendedBlobs).toBe(3);
  expect(mended.fetchedBytes).toBe(blobs.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0));
  const again = await openBundle(path);
  expect((await verifyBundle(again)).isWhole).toBe(true);
  await again.close();
});

it('keeps the damaged one where its source is gone, and goes on later', async () => {
  await site.create({ path });
  const before = await readFile(path);
  const { offset, sizeBytes } = await entryOfBinary();
  await flip(path, offset);
  const damaged = await readFile(path);
  site.files.fault = (_path, response, { method }) => {
    if (method === 'HEAD') return false;
    response.writeHead(503).end();
    return true;
  };

  await expect(site.create({ path, verifyContent: true, attempts: 2 })).rejects.toMatchObject({
    code: 'OCI_SERVER_ERROR',
  });
  expect((await readFile(path)).equals(damaged)).toBe(true);

  site.files.fault = undefined;
  expect(await site.create({ path, verifyContent: true })).toMatchObject({ fetchedBytes: sizeBytes });
  expect((await readFile(path)).equals(before)).toBe(true);
});

it('touches nothing where every byte is right', async () => {
  await site.create({ path });
  const before = await stat(path);
  let read = 0;

  const result = await site.create({ path, verifyContent: true, onVerify: ({ doneBytes }) => (read = doneBytes) });

  expect(result).toMatchObject({ wasThere: true, mendedBlobs: 0, fetchedBytes: 0 });
  expect(read).toBe(result.manifest.blobs.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0));
  expect(await stat(path)).toMatchObject({ ino: before.ino, mtimeMs: before.mtimeMs });
});

async function notesOf(verifyContent: boolean): Promise<string[]> {
  const events: RunEvent[] = [];
  const emitter = createEmitter([{ handle: (event) => void events.push(event), close: () => Promise.resolve() }]);
  const input = {
    configFile: site.clusterFile,
    path,
    platforms: ['linux/amd64'],
    allowUnpinned: true,
    allowMissingInstaller: true,
    installers: [],
    env: {},
  };
  const { exitCode } = await runBundleCreate(
    { ...input, verifyContent },
    { runId: 'r', emitter, signal: new AbortController().signal },
  );
  expect(exitCode).toBe(0);
  return events.flatMap((event) => (event.type === 'log' ? [event.message] : []));
}

it('the command says what it looked at and what it did not', async () => {
  expect((await notesOf(false)).at(-1)).toContain(`${path} is written: `);
  expect((await notesOf(false)).at(-1)).toContain('its blobs were not read (--verify-content reads them)');
  expect((await notesOf(true)).at(-1)).toContain('is there already, and every byte of it is right');
  const { offset } = await entryOfBinary();
  await flip(path, offset);

  const notes = await notesOf(true);

  expect(notes.at(-1)).toContain('was damaged in 1 blobs and is whole again');
  expect(notes.filter((note) => note.startsWith('damaged, and fetched anew: wrong-digest sha256:'))).toHaveLength(1);
});

it.each([
  [{ wasThere: false, mendedBlobs: 0, fetchedBytes: 9 }, false, 'is written'],
  [{ wasThere: false, mendedBlobs: 0, fetchedBytes: 9 }, true, 'is written, and every byte of it was read again'],
])('of %j with %s it says: %s', (result, verifyContent, text) => {
  expect(formatOutcome(result, verifyContent)).toBe(text);
});
