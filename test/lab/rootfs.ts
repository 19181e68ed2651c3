import { chmod, mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { run, type Log } from './commands.ts';
import { cachedDir, contentKey } from './upstream/cache.ts';

/** What a host starts from: a small Debian server with sshd and the tools that kubeadm looks for, never touched by an installer. */
const rootfs = {
  suite: 'bookworm',
  packages: [
    ...['systemd', 'systemd-sysv', 'dbus', 'openssh-server', 'sudo', 'ca-certificates', 'curl', 'chrony', 'netbase'],
    ...['iproute2', 'iptables', 'nftables', 'ebtables', 'ipset', 'conntrack', 'ethtool', 'socat', 'iputils-ping'],
    ...['kmod', 'procps', 'util-linux', 'mount'],
  ],
  /** `nosudo` may not become root; `pwsudo` may with the password that each lab draws; `ops` may without one. */
  users: ['ops', 'nosudo', 'pwsudo'],
  /** What finds no hardware of its own in a container, or would run at odd times. */
  maskedUnits: [
    ...['systemd-udevd.service', 'systemd-udevd-control.socket', 'systemd-udevd-kernel.socket', 'getty.target'],
    ...['systemd-networkd.service', 'systemd-networkd.socket', 'systemd-resolved.service', 'console-getty.service'],
    ...['apt-daily.timer', 'apt-daily-upgrade.timer', 'e2scrub_all.timer', 'e2scrub_reap.service', 'fstrim.timer'],
  ],
  files: {
    'etc/apt/sources.list': '',
    'etc/sudoers.d/ops': 'ops ALL=(ALL:ALL) NOPASSWD:ALL\n',
    'etc/sudoers.d/pwsudo': 'pwsudo ALL=(ALL:ALL) ALL\n',
    'etc/systemd/journald.conf.d/small.conf': '[Journal]\nSystemMaxUse=48M\nRuntimeMaxUse=16M\n',
    // A clean shutdown would otherwise wait 90 s for each pod that ignores it.
    'etc/systemd/system.conf.d/stop.conf': '[Manager]\nDefaultTimeoutStopSec=15s\n',
  },
  /** Written anew for each host, or state of the build. */
  removed: ['etc/ssh/ssh_host_*', 'etc/machine-id', 'var/lib/dbus/machine-id', 'etc/resolv.conf', 'var/log/apt'],
} as const;

/** Every user of a host that the lab's key opens. */
export const loginUsers: readonly string[] = ['root', ...rootfs.users];

/** Folder of the root file system that hosts are copied from; made once (half a minute) and cached. */
export async function ensureRootfs(log: Log): Promise<string> {
  const entry = await cachedDir({
    kind: 'rootfs',
    key: contentKey({ ...rootfs, arch: process.arch }),
    build,
    log: log,
  });
  return join(entry, 'root');

  async function build(dir: string): Promise<void> {
    log(`making the hosts' root file system (Debian ${rootfs.suite}, about a minute)`);
    const root = join(dir, 'root');
    await bootstrap(root, rootfs.packages);
    await customise(root);
  }
}

/** Everything a root file system is made of besides its packages; part of what names it in the cache. */
export const rootfsContent: unknown = { ...rootfs, packages: [] };

/** Packages of the Debian root file system without the network tools that kubeadm looks for. */
export const serverPackages: readonly string[] = [
  ...['systemd', 'systemd-sysv', 'dbus', 'openssh-server', 'sudo', 'ca-certificates', 'curl', 'netbase'],
  ...['iproute2', 'iputils-ping', 'kmod', 'procps', 'util-linux', 'mount'],
];

/** Makes a small Debian at `root`, which must not exist. */
export async function bootstrap(root: string, packages: readonly string[]): Promise<void> {
  // In a process space of its own, so that a kill ends all of it: what goes on would write into a folder that is cleared.
  await run('unshare', [
    ...['--pid', '--fork', '--kill-child', '--mount-proc', 'mmdebstrap'],
    '--quiet',
    '--variant=minbase',
    `--include=${packages.join(',')}`,
    '--dpkgopt=path-exclude=/usr/share/man/*',
    '--dpkgopt=path-exclude=/usr/share/locale/*',
    '--dpkgopt=path-exclude=/usr/share/doc/*',
    rootfs.suite,
    root,
  ]);
}

/** Users, masked units and settings of a lab host; what is written anew for each host is taken away. */
export async function customise(root: string): Promise<void> {
  for (const user of rootfs.users) await run('useradd', ['-R', root, '-m', '-s', '/bin/bash', user]);
  for (const [path, content] of Object.entries(rootfs.files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), content, { mode: path.startsWith('etc/sudoers.d/') ? 0o440 : 0o644 });
  }
  for (const unit of rootfs.maskedUnits) await symlink('/dev/null', join(root, 'etc/systemd/system', unit));
  for (const pattern of rootfs.removed) {
    const name = pattern.slice(pattern.lastIndexOf('/') + 1);
    await run('find', [
      join(root, dirname(pattern)),
      '-mindepth',
      '1',
      '-maxdepth',
      '1',
      '-name',
      name,
      '-exec',
      'rm',
      '-rf',
      '{}',
      '+',
    ]);
  }
  await rm(join(root, 'etc/hostname'), { force: true });
  await mkdir(join(root, 'var/log/journal'), { recursive: true });
  // At 0700, dbus and every service with a user of its own would fail.
  await chmod(root, 0o755);
}
