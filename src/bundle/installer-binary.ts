import { createHash } from 'node:crypto';
import { resolve as resolvePath } from 'node:path';
import { programVersion } from '../assets.ts';
import { messageOf } from '../errors.ts';
import { fileStream } from '../oci/layout-files.ts';
import { bundleUsage } from './bundle-errors.ts';
import type { BundleItem } from './manifest.ts';
import { openParts } from './parted-file.ts';
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
    const opened = await openParts([file]);
    sizeBytes = opened.sizeBytes;
    await opened.digest(hash, { startByte: 0, endByte: sizeBytes }).finally(() => opened.close());
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
    open: (startByte: number) => Promise.resolve(fileStream(file, 0, { startByte })),
  };
  return { item, source };
}
