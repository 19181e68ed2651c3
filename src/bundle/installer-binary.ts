import { createHash } from 'node:crypto';
import { resolve as resolvePath } from 'node:path';
import { programVersion } from '../assets.ts';
import { InstallerError, messageOf } from '../errors.ts';
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

/**
 * A program for each platform of the bundle, and for no other. BUNDLE_INSTALLER_PLATFORM for one that nobody there could run,
 * BUNDLE_INSTALLER_MISSING where a platform has none (exit code 2). Pure.
 */
export function checkInstallers(
  installers: readonly InstallerBinary[],
  platforms: readonly string[],
  allowMissing: boolean,
): readonly string[] {
  const foreign = installers.filter(({ platform }) => !platforms.includes(platform));
  if (foreign.length > 0) {
    throw bundleUsage(
      'INSTALLER_PLATFORM',
      `an installer is given for ${foreign.map(({ platform }) => platform).join(', ')}, and the bundle is for ${platforms.join(', ')}`,
      'leave it out, or name its platform with --platform',
    );
  }
  const lacking = platforms.filter((platform) => !installers.some((given) => given.platform === platform));
  if (lacking.length === 0 || allowMissing) return lacking;
  throw bundleUsage(
    'INSTALLER_MISSING',
    `the installer itself is not at hand for ${lacking.join(', ')}`,
    `give it with ${lacking.map((platform) => `--installer ${platform}=FILE`).join(' ')}, or do without with --allow-missing-installer`,
  );
}

/** `e_machine` of ELF (gabi, Figure 4-3), by platform. */
const machines: Readonly<Record<string, number>> = { 'linux/amd64': 62, 'linux/arm64': 183 };

/** A program for another machine would be found out on site, where there is no other. */
function checkMachine(head: Buffer, { platform, path }: InstallerBinary): void {
  const isElf = head.length >= 20 && head.subarray(0, 4).equals(Buffer.from([0x7f, 0x45, 0x4c, 0x46]));
  if (isElf && head.readUInt16LE(18) === machines[platform]) return;
  throw bundleUsage(
    'INSTALLER_WRONG',
    `${path} is ${isElf ? 'a program for another machine' : 'no program'}, and was given as the installer for ${platform}`,
    'give the binary that was made for this platform',
  );
}

/** The program as an item, with its digest. BUNDLE_INSTALLER_UNREADABLE, BUNDLE_INSTALLER_WRONG (exit code 2). */
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
    try {
      sizeBytes = opened.sizeBytes;
      checkMachine(await opened.read(0, 20), { platform, path });
      await opened.digest(hash, { startByte: 0, endByte: sizeBytes });
    } finally {
      await opened.close();
    }
  } catch (error) {
    if (error instanceof InstallerError) throw error;
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
