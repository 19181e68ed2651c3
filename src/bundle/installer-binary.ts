import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { resolve as resolvePath } from 'node:path';
import { programVersion } from '../assets.ts';
import { messageOf } from '../errors.ts';
import { bundleUsage } from './bundle-errors.ts';
import type { BundleItem } from './manifest.ts';
import { architecturesOf } from './platforms.ts';
import type { BlobSource } from './write-bundle.ts';

/** A program of ours that the bundle shall carry. */
export interface InstallerBinary {
  readonly platform: string;
  readonly path: string;
}

/** The program as an item, with its digest. BUNDLE_INSTALLER_UNREADABLE. */
export async function installerSource({
  platform,
  path,
}: InstallerBinary): Promise<{ item: BundleItem; source: BlobSource }> {
  architecturesOf([platform]);
  const file = resolvePath(path);
  const hash = createHash('sha256');
  let sizeBytes: number;
  try {
    for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
    sizeBytes = (await stat(file)).size;
  } catch (error) {
    throw bundleUsage(
      'INSTALLER_UNREADABLE',
      `the installer for ${platform} cannot be read: ${messageOf(error)}`,
      'correct the path',
    );
  }
  const digest = `sha256:${hash.digest('hex')}` as const;
  const item: BundleItem = {
    kind: 'installer',
    name: 'installer',
    version: programVersion,
    platforms: [platform],
    why: ['installs from the bundle'],
    digest,
    sizeBytes,
    origin: 'given when the bundle was made',
    pin: 'local',
    blobs: [digest],
  };
  const source = {
    blob: { digest, sizeBytes },
    from: { registry: 'localhost', repository: file.replace(/^\/+/, '') },
    open: (startByte: number) => Promise.resolve(createReadStream(file, { start: startByte })),
  };
  return { item, source };
}
