import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeSync } from 'node:fs';
import { open, readFile, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { hashFor, type Digest } from '../oci/digest.ts';
import { fillBlob, isWrongContent } from '../oci/fill-blob.ts';
import { absent } from '../oci/layout-files.ts';
import type { BlobDescriptor } from '../oci/manifest.ts';
import type { OpenFrom, PutBlobOptions, PutBlobResult } from '../oci/store.ts';
import { bundleError } from './bundle-errors.ts';
import { diskTooSmall, freeBytesOf } from './free-space.ts';
import { makeParts, partPaths, type PartedFile } from './parted-file.ts';
import type { TarPlan } from './tar-plan.ts';

export interface PartialOptions {
  /** Cut the file into parts of so many bytes. */
  readonly partBytes?: number | undefined;
  /** Bytes that are free for this user where the file will lie; asked of the file system where not given. */
  readonly freeBytes?: ((folder: string) => Promise<number>) | undefined;
}

/** A bundle under way: blobs are written where they belong, in any order and at the same time. */
export interface PartialBundle {
  /** Bytes of blobs that an earlier run has left whole. */
  readonly keptBytes: number;
  /**
   * Brings a blob to its place: one attempt, which goes on where an earlier one, or an earlier process, stopped. What a whole blob
   * must be is verified. Two calls for one blob at once are the caller's mistake.
   */
  put(blob: BlobDescriptor, openFrom: OpenFrom, options?: PutBlobOptions): Promise<PutBlobResult>;
  /** All blobs are there: to the disk, and under the final names, which are returned. */
  finish(): Promise<readonly string[]>;
  /** Leaves what is there for the next run. */
  close(): Promise<void>;
}

/** Bytes after which the disk is told to begin. */
const syncEveryBytes = 64 * 1024 * 1024;

/**
 * Opens FILE.partial for a plan, making it where it is not there. Beside it lies a journal that says how far each blob is. It is
 * believed within the same boot of the machine, for what a process wrote outlives the process; after a restart of the machine
 * every blob is read again. A journal of another plan is dropped, with what it describes.
 * BUNDLE_DISK_TOO_SMALL before the first byte is written; BUNDLE_BUSY where another process is at it.
 */
export async function openPartial(path: string, plan: TarPlan, options: PartialOptions = {}): Promise<PartialBundle> {
  const finals = partPaths(path, plan.totalBytes, options.partBytes);
  const partials = finals.map((name) => `${name}.partial`);
  const journalPath = `${path}.partial.journal`;
  const unlock = await lock(`${path}.partial.lock`);
  try {
    const key = keyOf(plan, options.partBytes);
    const journal = parseJournal(await readFile(journalPath, 'utf8').catch(absent));
    const isOurs = journal?.key === key;
    if (journal !== undefined && !isOurs) await putAside(path, journalPath);
    // A run that ended among the last renames left some parts under their final names.
    if (isOurs) for (const [index, name] of partials.entries()) await takeBack(finals[index] ?? '', name);
    await checkSpace(path, plan, partials, options.freeBytes ?? freeBytesOf);
    const file = await makeParts(partials, plan.totalBytes, options.partBytes);
    try {
      const notes = await open(journalPath, 'a');
      const partial = { path, finals, partials, journalPath, plan, file, notes };
      const done = isOurs ? journal.done : new Map<string, number>();
      if (isOurs && journal.boot !== bootId()) await reread(plan, file, done);
      // Begins on a line of its own, for the last line of a killed run may be cut off.
      await notes.write(`\n${JSON.stringify({ key, boot: bootId() })}\n`);
      for (const entry of plan.head) await file.write([entry.header, entry.content], entry.headerOffset);
      for (const entry of plan.blobs.values()) await file.write([entry.header], entry.headerOffset);
      return partialBundle(partial, done, unlock);
    } catch (error) {
      await file.close();
      throw error;
    }
  } catch (error) {
    await unlock();
    throw error;
  }
}

interface Partial {
  readonly path: string;
  readonly finals: readonly string[];
  readonly partials: readonly string[];
  readonly journalPath: string;
  readonly plan: TarPlan;
  readonly file: PartedFile;
  readonly notes: FileHandle;
}

function partialBundle(partial: Partial, done: Map<string, number>, unlock: () => Promise<void>): PartialBundle {
  const { path, finals, partials, journalPath, plan, file, notes } = partial;
  /** At once and not in the background: a line into the page cache takes less time than handing it to another thread. */
  const note = (digest: Digest, bytes: number): void => {
    done.set(digest, bytes);
    writeSync(notes.fd, `${digest} ${bytes}\n`);
  };
  // The disk begins while the network goes on: in the end little is left to wait for.
  let unsyncedBytes = 0;
  let syncing: Promise<void> = Promise.resolve();
  const syncBehind = (bytes: number): void => {
    unsyncedBytes += bytes;
    if (unsyncedBytes < syncEveryBytes) return;
    unsyncedBytes = 0;
    syncing = syncing.then(() => file.sync());
    // What the disk refused is told when the bundle is finished: a later sync would not tell it again.
    syncing.catch(() => undefined);
  };
  const close = async (): Promise<void> => {
    await syncing.catch(() => undefined);
    await notes.close();
    await file.close();
    await unlock();
  };
  const kept = [...plan.blobs].filter(([digest, entry]) => done.get(digest) === entry.sizeBytes);
  return {
    keptBytes: kept.reduce((sum, [, { sizeBytes }]) => sum + sizeBytes, 0),
    async put(blob, openFrom, putOptions = {}) {
      const entry = plan.blobs.get(blob.digest);
      if (entry === undefined) throw new RangeError(`${blob.digest} is not in the plan`);
      const before = done.get(blob.digest) ?? 0;
      if (before === blob.sizeBytes && done.has(blob.digest)) return 'present';
      try {
        await fill(file, entry.offset, blob, before, openFrom, putOptions, (bytes) => {
          note(blob.digest, bytes);
        });
      } catch (error) {
        if (isWrongContent(error)) note(blob.digest, 0);
        throw error;
      }
      note(blob.digest, blob.sizeBytes);
      syncBehind(blob.sizeBytes - before);
      return 'written';
    },
    async finish() {
      await syncing;
      await file.sync();
      await close();
      // The first part goes last: with it the bundle is there.
      for (let index = finals.length - 1; index >= 0; index -= 1) {
        await rename(partials[index] ?? '', finals[index] ?? '');
      }
      await removeReplaced(path, finals);
      await rm(asidePath(path), { force: true });
      await rm(`${asidePath(path)}.journal`, { force: true });
      await syncFolder(dirname(path));
      await rm(journalPath, { force: true });
      return finals;
    },
    close,
  };
}

async function fill(
  file: PartedFile,
  offset: number,
  blob: BlobDescriptor,
  startByte: number,
  openFrom: OpenFrom,
  options: PutBlobOptions,
  note: (bytes: number) => void,
): Promise<void> {
  await fillBlob(
    {
      startByte,
      hashBefore: (hash) => file.digest(hash, { startByte: offset, endByte: offset + startByte }, options.signal),
      async write(bytes, position) {
        await file.write([bytes], offset + position);
        const end = position + bytes.length;
        // Noted after it is written: the journal never says more than the file holds.
        if (end < blob.sizeBytes) note(end);
      },
    },
    blob,
    openFrom,
    options,
  );
}

/** Two plans of one key put the same bytes in the same places. */
function keyOf(plan: TarPlan, partBytes: number | undefined): string {
  const hash = createHash('sha256').update(`${partBytes ?? 0}\n`);
  for (const { header, content } of plan.head) hash.update(header).update(content);
  return hash.digest('hex');
}

function parseJournal(
  text: string | undefined,
): { readonly key: string; readonly boot: string | undefined; readonly done: Map<string, number> } | undefined {
  if (text === undefined) return undefined;
  const lines = text.split('\n');
  // What follows the last line break is a note that was not written to its end.
  lines.pop();
  let head: { key: string; boot?: string } | undefined;
  const done = new Map<string, number>();
  for (const line of lines) {
    if (line.startsWith('{')) {
      try {
        head = JSON.parse(line) as typeof head;
      } catch {
        continue;
      }
      continue;
    }
    const match = /^(sha256:[0-9a-f]{64}) (\d+)$/.exec(line);
    if (match?.[1] !== undefined) done.set(match[1], Number(match[2]));
  }
  return head && { key: head.key, boot: head.boot, done };
}

/** After a restart of the machine the file may hold less than the journal says: blobs are believed as far as they prove it. */
async function reread(plan: TarPlan, file: PartedFile, done: Map<string, number>): Promise<void> {
  for (const [digest, { offset, sizeBytes }] of plan.blobs) {
    if (done.get(digest) !== sizeBytes) {
      done.delete(digest);
      continue;
    }
    const hash = hashFor(digest);
    await file.digest(hash, { startByte: offset, endByte: offset + sizeBytes });
    if (`sha256:${hash.digest('hex')}` !== digest) done.delete(digest);
  }
}

/** Where a file of another plan is kept, for the blobs in it. */
export function asidePath(path: string): string {
  return `${path}.partial.old`;
}

/** The blobs that the journal of a file that was put aside calls whole. */
export async function wholeAside(path: string, sizes: ReadonlyMap<Digest, number>): Promise<ReadonlySet<Digest>> {
  const journal = parseJournal(await readFile(`${asidePath(path)}.journal`, 'utf8').catch(absent));
  return new Set([...sizes].flatMap(([digest, size]) => (journal?.done.get(digest) === size ? [digest] : [])));
}

/** A file of another plan holds blobs that this one needs too; one in parts is given up. */
async function putAside(path: string, journalPath: string): Promise<void> {
  if (existsSync(`${path}.partial`)) {
    await rename(journalPath, `${asidePath(path)}.journal`);
    await rename(`${path}.partial`, asidePath(path));
    return;
  }
  for (let number = 1; ; number += 1) {
    const part = `${path}.${`${number}`.padStart(3, '0')}.partial`;
    if (!existsSync(part)) break;
    await rm(part);
  }
  await rm(journalPath, { force: true });
}

async function takeBack(final: string, partial: string): Promise<void> {
  if (!existsSync(partial) && existsSync(final)) await rename(final, partial);
}

/** A bundle of the same name that was cut otherwise is replaced too: its files must not be taken for parts of this one. */
async function removeReplaced(path: string, finals: readonly string[]): Promise<void> {
  if (!finals.includes(path)) await rm(path, { force: true });
  for (let number = finals.includes(path) ? 1 : finals.length + 1; ; number += 1) {
    const part = `${path}.${`${number}`.padStart(3, '0')}`;
    if (!existsSync(part)) break;
    await rm(part);
  }
}

async function checkSpace(
  path: string,
  plan: TarPlan,
  partials: readonly string[],
  freeBytes: (folder: string) => Promise<number>,
): Promise<void> {
  const folder = dirname(path);
  // Holes take no room: what is there is what was written.
  const sizes = await Promise.all(partials.map((name) => stat(name).then((found) => found.blocks * 512, absent)));
  const there = sizes.reduce<number>((sum, size) => sum + (size ?? 0), 0);
  const wanted = Math.max(0, plan.totalBytes - there);
  let free = await freeBytes(folder);
  if (free < wanted && existsSync(asidePath(path))) {
    // Fetching again is better than not fetching at all.
    await rm(asidePath(path));
    free = await freeBytes(folder);
  }
  if (free >= wanted) return;
  throw diskTooSmall(folder, 'the bundle', wanted, free);
}

/** One process at a time; a lock whose process is gone does not count. */
async function lock(path: string): Promise<() => Promise<void>> {
  for (let attempt = 0; attempt < 3; attempt += 1) {
    try {
      const file = await open(path, 'wx');
      await file.write(`${process.pid} ${startOf(process.pid) ?? ''}\n`);
      await file.close();
      return () => rm(path, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const [pid = '', start = ''] = ((await readFile(path, 'utf8').catch(absent)) ?? '').trim().split(' ');
    if (pid !== '' && startOf(Number(pid)) === start) {
      throw bundleError(
        'BUSY',
        `process ${pid} is writing this bundle already (${path})`,
        'wait for it, or give another name to -o',
      );
    }
    await rm(path, { force: true });
  }
  throw bundleError('BUSY', `${path} cannot be taken`, 'remove it, and run the command again');
}

/** When a process started, in ticks: together with its number it is that process and no later one. Undefined where it is gone. */
function startOf(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ')[19];
  } catch {
    return undefined;
  }
}

/** Differs after each restart of the machine; undefined where it cannot be told, which is then a restart each time. */
function bootId(): string | undefined {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return undefined;
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
