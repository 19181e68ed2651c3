import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { digestOf } from './digest.ts';
import { createLayout } from './layout.ts';
import { blobPath } from './layout-reader.ts';
import { parseReference } from './reference.ts';
import { readBlob } from './read-blob.ts';
import type { WritableOciStore } from './store.ts';

const name = parseReference('example.com/app:v1');
const bytes = Buffer.from('a configuration');
const blob = { digest: digestOf(bytes), sizeBytes: bytes.length };
let dir: string;
let layout: WritableOciStore;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'read-blob-'));
  layout = await createLayout(dir);
  await layout.putBlob(name, blob, () => Promise.resolve(Readable.from([bytes])));
});

afterEach(() => rm(dir, { recursive: true, force: true }));

describe('readBlob of a store that has files', () => {
  it('gives the bytes of a blob that is right', async () => {
    expect(await readBlob(layout, name, blob)).toEqual(bytes);
  });

  it.each([
    ['other bytes', 'A configuration', 'OCI_WRONG_DIGEST'],
    ['more bytes behind the right ones', 'a configuration, and more', 'OCI_WRONG_SIZE'],
    ['too few bytes', 'a conf', 'OCI_CONNECTION_LOST'],
  ])('refuses %s', async (_name, text, code) => {
    await writeFile(join(dir, blobPath(blob.digest)), text);

    await expect(readBlob(layout, name, blob)).rejects.toMatchObject({ code });
  });

  it('says that a blob is not there', async () => {
    await rm(join(dir, blobPath(blob.digest)));

    await expect(readBlob(layout, name, blob)).rejects.toMatchObject({ code: 'OCI_NOT_FOUND' });
  });
});
