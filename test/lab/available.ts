import { accessSync, constants, existsSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { run, tryRun, type Log } from './commands.ts';
import { hierarchies } from './cgroups.ts';
import { withLock } from './locks.ts';
import { labsDir } from './paths.ts';

/** Commands the lab needs and the Debian package of each. */
const tools: Readonly<Record<string, string>> = {
  'systemd-nspawn': 'systemd-container',
  mmdebstrap: 'mmdebstrap',
  dnsmasq: 'dnsmasq-base',
  ssh: 'openssh-client',
  'ssh-keygen': 'openssh-client',
  ip: 'iproute2',
  tc: 'iproute2',
  ss: 'iproute2',
  nft: 'nftables',
  nsenter: 'util-linux',
  flock: 'util-linux',
  setpriv: 'util-linux',
  unshare: 'util-linux',
  losetup: 'mount',
  'mkfs.ext4': 'e2fsprogs',
};

/** Commands that only rpm hosts need, and the Debian package of each. */
const rpmTools: Readonly<Record<string, string>> = {
  rpmbuild: 'rpm',
  rpmsign: 'rpm',
  createrepo_c: 'createrepo-c',
  gpg: 'gnupg',
};

const overlayFileSystem = 0x794c7630;
const capabilities = { CAP_NET_ADMIN: 12, CAP_SYS_CHROOT: 18, CAP_SYS_ADMIN: 21, CAP_MKNOD: 27 };

/** Why no lab can be had on this machine, in one line; undefined where it can. Nothing is changed. */
export function labUnavailable(): string | undefined {
  if (process.platform !== 'linux') return `the lab needs Linux (this is ${process.platform})`;
  if (process.getuid?.() !== 0) return 'the lab needs root: it boots hosts and makes a bridge';
  const lacking = lackingCapabilities(readFileSync('/proc/self/status', 'utf8'));
  if (lacking.length > 0) return `the lab needs ${lacking.join(', ')}: this root has been given less`;
  if (hierarchies().length === 0) return 'the lab needs cgroups under /sys/fs/cgroup: none are mounted';
  const missing = missingTools();
  if (missing.length > 0 && findTool('apt-get') === undefined) {
    return `the lab needs ${missing.join(', ')}: not installed, and there is no apt-get to install them`;
  }
  if (statfsSync(nearestFolder(labsDir)).type === overlayFileSystem) {
    return `the lab needs ${labsDir} on a disk: it lies on an overlay file system, which cannot carry containerd's`;
  }
  return undefined;
}

/** Installs the Debian packages of the tools that are missing. */
export async function ensureTools(log: Log): Promise<void> {
  await install(tools, log);
}

/** The same for the tools that make the rpm hosts and their repository. */
export async function ensureRpmTools(log: Log): Promise<void> {
  await install(rpmTools, log);
}

/** The same for any commands, each with its Debian package. Services that come along are not started: their ports are the tests'. */
export async function install(wanted: Readonly<Record<string, string>>, log: Log): Promise<void> {
  const packages = [...new Set(missingTools(wanted).map((tool) => wanted[tool] ?? tool))];
  if (packages.length === 0) return;
  log(`installing ${packages.join(', ')}`);
  await withLock('apt', log, async () => {
    const command = ['-o', 'DPkg::Lock::Timeout=300', 'install', '-y', '-qq', '--no-install-recommends', ...packages];
    await withoutServices(async () => {
      // The lists may be old or empty: they are fetched only where the first try shows it.
      if ((await tryRun('apt-get', command)).exitCode === 0) return;
      await run('apt-get', ['update', '-qq']);
      await run('apt-get', command);
    });
  });
}

/** What Debian's packages ask before they start a service (invoke-rc.d); 101 is its word for no. */
const policy = '/usr/sbin/policy-rc.d';

async function withoutServices(work: () => Promise<void>): Promise<void> {
  if (existsSync(policy)) return work();
  writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    await work();
  } finally {
    rmSync(policy, { force: true });
  }
}

/** Names of the capabilities that the text of /proc/PID/status shows to be absent. */
export function lackingCapabilities(status: string): string[] {
  const held = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`);
  return Object.entries(capabilities)
    .filter(([, bit]) => (held & (1n << BigInt(bit))) === 0n)
    .map(([name]) => name);
}

function missingTools(wanted = tools): string[] {
  return Object.keys(wanted).filter((tool) => findTool(tool) === undefined);
}

function findTool(name: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'].filter((dir) => dir !== '');
  return folders.map((dir) => join(dir, name)).find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function nearestFolder(path: string): string {
  return existsSync(path) ? path : nearestFolder(dirname(path));
}
