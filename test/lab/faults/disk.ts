import { mkdir, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../commands.ts';
import type { LabHost } from '../host.ts';
import { must } from './must.ts';
import { once, type Undo } from './undo.ts';

export interface SmallDisk {
  /** Where on the host; made when missing. What lies there is hidden until undo. */
  readonly path?: string;
  readonly sizeMiB?: number;
}

/** Mounts a small ext4 of its own at a path of the host (default /var/lib, which hides what is there). Undo unmounts it. */
export async function smallDisk(host: LabHost, { path = '/var/lib', sizeMiB = 64 }: SmallDisk = {}): Promise<Undo> {
  const folder = join(host.root, '../../faults');
  const image = join(folder, `${host.name}${path.replaceAll('/', '_')}.img`);
  await mkdir(folder, { recursive: true });
  await rm(image, { force: true });
  await writeFile(image, '');
  await truncate(image, sizeMiB * 1024 * 1024);
  await run('mkfs.ext4', ['-q', '-m', '0', image]);
  const device = (await run('losetup', ['--find', '--show', image])).trim();
  try {
    await mountDevice(host, device, path);
  } finally {
    // Lazy: the kernel lets go of the device with the mount, also when that ends with the host's power.
    await run('losetup', ['--detach', device]);
  }
  return once(async () => {
    if (await host.leader()) await must(host, ['umount', '--lazy', path]);
    await rm(image, { force: true });
  });
}

/** A disk with nothing free: like `smallDisk`, filled up to `freeMiB`. */
export async function fillDisk(host: LabHost, options: SmallDisk & { readonly freeMiB?: number } = {}): Promise<Undo> {
  const undo = await smallDisk(host, options);
  const path = options.path ?? '/var/lib';
  const free = await must(host, ['stat', '-f', '-c', '%a %S', path]);
  const [blocks = 0, blockBytes = 0] = free.stdout.trim().split(' ').map(Number);
  const bytes = blocks * blockBytes - (options.freeMiB ?? 0) * 1024 * 1024;
  // fallocate may fall short by metadata; what is left is taken by writing until there is no space.
  const fill = `cd '${path}' && fallocate -l ${Math.max(bytes, 1)} filler 2>/dev/null || cat /dev/zero >filler 2>/dev/null || :`;
  await must(host, fill);
  return undo;
}

/** The host's /dev has no loop devices: the node is made there for the time of the mount. */
async function mountDevice(host: LabHost, device: string, path: string): Promise<void> {
  const number = (await stat(device)).rdev;
  const node = '/dev/installer-lab-disk';
  const [major, minor] = [(number >> 8) & 0xfff, (number & 0xff) | ((number >> 12) & 0xfff00)];
  await must(
    host,
    `set -e; mkdir -p '${path}'; rm -f ${node}; mknod ${node} b ${major} ${minor}; mount -t ext4 ${node} '${path}'; rm -f ${node}`,
  );
}
