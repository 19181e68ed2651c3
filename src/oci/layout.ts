import { constants } from 'node:fs';
import { mkdir, open, rename, rm, stat, writeFile, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { splitDigest, type Digest } from './digest.ts';
import { fillBlob, isWrongContent } from './fill-blob.ts';
import { absent, directoryFiles, readChunkBytes } from './layout-files.ts';
import { layoutMarker, namedEntry, parseLayoutIndex, renderLayoutIndex, withEntry } from './layout-index.ts';
import { blobPath, createLayoutReader, readLayoutIndex } from './layout-reader.ts';
import { parseManifest, type BlobDescriptor, type Descriptor } from './manifest.ts';
import { formatReference } from './reference.ts';
import type { LocalOciStore, OpenFrom, PutBlobOptions, PutBlobResult, WritableOciStore } from './store.ts';

/** Opens a directory that is an OCI image layout, for reading. OCI_LAYOUT_INVALID where it is none. */
export async function openLayout(dir: string): Promise<LocalOciStore> {
  const files = directoryFiles(dir);
  const entries = await readLayoutIndex(files);
  return createLayoutReader({ files, entries: () => entries });
}

/**
 * Opens a directory as an OCI image layout for writing; an absent or empty one becomes one. Blobs appear by rename, so that one
 * that is there is whole; partial ones lie in `.partial` under the name of their digest and are continued. Nothing is synced
 * to the disk: after a power cut `copy` with verification, not this, tells what is there. One process writes at a time.
 */
export async function createLayout(dir: string): Promise<LocalOciStore & WritableOciStore> {
  const files = directoryFiles(dir);
  for (const folder of [join('blobs', 'sha256'), join('blobs', 'sha512'), '.partial']) {
    await mkdir(join(dir, folder), { recursive: true });
  }
  if ((await files.read('oci-layout')) === undefined) {
    if ((await files.read('index.json')) === undefined)
      await writeWhole(join(dir, 'index.json'), renderLayoutIndex([]));
    await writeWhole(join(dir, 'oci-layout'), layoutMarker);
  }
  let entries = await readLayoutIndex(files);
  const reader = createLayoutReader({ files, entries: () => entries });

  let changes: Descriptor[] = [];
  let saving: Promise<void> | undefined;
  const save = async (): Promise<void> => {
    // Everything that was put while another save ran goes into one.
    const taken = changes;
    changes = [];
    saving = undefined;
    const now = parseLayoutIndex((await files.read('index.json'))?.toString() ?? renderLayoutIndex([]), dir);
    entries = taken.reduce(withEntry, now);
    await writeWhole(join(dir, 'index.json'), renderLayoutIndex(entries));
  };
  let last: Promise<void> = Promise.resolve();
  const addEntry = (entry: Descriptor): Promise<void> => {
    changes.push(entry);
    saving ??= last.then(save);
    last = saving.catch(() => undefined);
    return saving;
  };

  return {
    ...reader,
    putBlob: (_name, blob, openFrom, options = {}) => putBlob(dir, blob, openFrom, options),
    async putManifest(reference, manifest) {
      const { descriptor, bytes } = manifest;
      const path = join(dir, blobPath(descriptor.digest));
      if ((await sizeOf(path)) !== bytes.length) await writeWhole(path, bytes);
      if (reference.tag !== undefined) {
        await addEntry(namedEntry(reference, descriptor));
      } else if (parseManifest(manifest, formatReference(reference)).subject !== undefined) {
        // What refers to another image is found through the index only.
        await addEntry(descriptor);
      }
    },
  };
}

/** Where the partial blob lies that an attempt before left, or would leave. */
export function partialPath(dir: string, digest: Digest): string {
  const { algorithm, hex } = splitDigest(digest);
  return join(dir, '.partial', `${algorithm}-${hex}`);
}

async function putBlob(
  dir: string,
  blob: BlobDescriptor,
  openFrom: OpenFrom,
  options: PutBlobOptions,
): Promise<PutBlobResult> {
  const target = join(dir, blobPath(blob.digest));
  if ((await sizeOf(target)) === blob.sizeBytes) return 'present';
  const partial = partialPath(dir, blob.digest);
  const file = await open(partial, constants.O_RDWR | constants.O_CREAT);
  try {
    await fill(file, blob, openFrom, options);
  } catch (error) {
    await file.close();
    if (isWrongContent(error)) await rm(partial, { force: true });
    throw error;
  }
  await file.close();
  await rename(partial, target);
  return 'written';
}

async function fill(
  file: FileHandle,
  blob: BlobDescriptor,
  openFrom: OpenFrom,
  options: PutBlobOptions,
): Promise<void> {
  const { size } = await file.stat();
  const startByte = size > blob.sizeBytes ? 0 : size;
  if (startByte !== size) await file.truncate(0);
  await fillBlob(
    {
      startByte,
      async hashBefore(hash) {
        const before = file.createReadStream({
          start: 0,
          end: startByte - 1,
          autoClose: false,
          highWaterMark: readChunkBytes,
        });
        for await (const chunk of before as AsyncIterable<Buffer>) hash.update(chunk);
      },
      write: (bytes, position) => writeWholly(file, bytes, position),
    },
    blob,
    openFrom,
    options,
  );
}

async function sizeOf(path: string): Promise<number | undefined> {
  return stat(path).then(({ size }) => size, absent);
}

async function writeWholly(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  const { bytesWritten } = await file.write(bytes, 0, bytes.length, position);
  // A short write, as a full disk gives: the rest then fails with the reason.
  if (bytesWritten < bytes.length) await writeWholly(file, bytes.subarray(bytesWritten), position + bytesWritten);
}

let temporaries = 0;

/** Writes a small file so that it is there whole or not at all. */
async function writeWhole(path: string, content: string | Uint8Array): Promise<void> {
  temporaries += 1;
  const temporary = `${path}.tmp-${process.pid}-${temporaries}`;
  await writeFile(temporary, content);
  await rename(temporary, path);
}
