import { closeSync, openSync, writeSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openBundle } from '../../src/bundle/bundle.ts';
import { extractBundle } from '../../src/bundle/extract.ts';
import { verifyBundle } from '../../src/bundle/verify.ts';
import { run } from '../lab/commands.ts';
import { openSite, type Site } from '../support/bundle/site.ts';

/** Disks that are really full: a file system in memory with a size of its own. */
const isRoot = process.getuid?.() === 0;
const title = isRoot ? 'a small disk' : 'a small disk (skipped: only root can mount one)';

describe.skipIf(!isRoot)(title, () => {
  let dir: string;
  let disk: string;
  let site: Site;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'bundle-disk-'));
    disk = join(dir, 'disk');
    await mkdir(disk);
    site = await openSite(dir, { layerBytes: 4_000_000, fileBytes: 200_000 });
  });
  afterEach(async () => {
    await run('umount', [disk]);
    await site.close();
    await rm(dir, { recursive: true, force: true });
  });

  async function mountDisk(bytes: number): Promise<void> {
    await run('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', disk]);
  }

  /** Somebody else takes all that is left. */
  function fill(): void {
    const file = openSync(join(disk, 'others'), 'w');
    try {
      for (;;) writeSync(file, Buffer.alloc(65_536));
    } catch (error) {
      expect((error as NodeJS.ErrnoException).code).toBe('ENOSPC');
    } finally {
      closeSync(file);
    }
  }

  it('is told of with the bytes that are missing, before one is written', async () => {
    const size = (await site.create({ path: join(dir, 'elsewhere.tar') })).sizeBytes;
    await mountDisk(Math.floor(size / 2 / 65_536) * 65_536);
    const { bavail, bsize } = await statfs(disk);

    const failure: unknown = await site.create({ path: join(disk, 'site.tar') }).catch((error: unknown) => error);

    expect(failure).toMatchObject({ code: 'BUNDLE_DISK_TOO_SMALL' });
    const [, missing] = /\((\d+) bytes\) are missing/.exec((failure as Error).message) ?? [];
    // Its lock takes a block as long as it looks.
    expect(Number(missing) - (size - bavail * bsize)).toBeOneOf([0, bsize]);
    expect(await readdir(disk)).toEqual([]);
  });

  it('that becomes full on the way is told of, and a second run goes on', async () => {
    const size = (await site.create({ path: join(dir, 'elsewhere.tar') })).sizeBytes;
    await mountDisk(size * 2);
    const path = join(disk, 'site.tar');
    let isFilled = false;

    const failure: unknown = await site
      .create({
        path,
        onProgress({ doneBytes, totalBytes }) {
          if (isFilled || doneBytes < totalBytes / 3) return;
          isFilled = true;
          fill();
        },
      })
      .catch((error: unknown) => error);

    expect(failure).toMatchObject({
      code: 'BUNDLE_DISK_FULL',
      message: expect.stringContaining(`the disk of ${disk} has become full`) as string,
      remedy: expect.stringContaining('goes on where it stopped') as string,
    });
    await rm(join(disk, 'others'));
    const { fetchedBytes, manifest } = await site.create({ path });
    const all = manifest.blobs.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    expect(fetchedBytes).toBeLessThan(all * 0.9);
    const bundle = await openBundle(path);
    expect((await verifyBundle(bundle)).isWhole).toBe(true);
    await bundle.close();
  });

  it('that is too small to extract to is told of before, and what is there needs no room', async () => {
    const path = join(dir, 'elsewhere.tar');
    const { sizeBytes } = await site.create({ path });
    const bundle = await openBundle(path);
    await mountDisk(1_000_000);
    const out = join(disk, 'out');
    await expect(extractBundle(bundle, out)).rejects.toMatchObject({
      code: 'BUNDLE_DISK_TOO_SMALL',
      message: expect.stringMatching(/\(\d+ bytes\) are missing/) as string,
    });
    expect(await readdir(disk)).toEqual([]);
    await run('mount', ['-o', `remount,size=${sizeBytes * 2}`, disk]);
    expect(await extractBundle(bundle, out)).toHaveLength(bundle.manifest.items.length);
    fill();
    // Images that are there take no room again, and no disk is full for them.
    const images = bundle.manifest.items.filter(({ kind }) => kind === 'image').map(({ name }) => name);
    expect(await extractBundle(bundle, out, { names: images })).toHaveLength(images.length);
    await bundle.close();
  });
});
