import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, chown, copyFile, mkdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { run, tryRun } from './commands.ts';
import { deadGateway, gatewayAddress } from './network.ts';
import { loginUsers } from './rootfs.ts';
import type { AptAccess, RpmAccess } from './upstream/index.ts';

/** What makes one host of the common root file system. */
export interface HostIdentity {
  readonly name: string;
  readonly address: string;
  /** Prefix of the lab's network. */
  readonly prefix: string;
  /** File with the public key that opens every login user. */
  readonly publicKeyFile: string;
  /** Private key file of the host; its public half lies beside it. */
  readonly hostKeyFile: string;
  /** Password that `pwsudo` gives to sudo. */
  readonly sudoPassword: string;
  /** Absent as long as the lab has no package repository. */
  readonly apt?: AptAccess | undefined;
  /** The dnf repository of a host of the rpm family; as above. */
  readonly rpm?: RpmAccess | undefined;
}

/** Copies the host's root from the common one, unless it is there; it appears whole or not at all. */
export async function ensureHostRoot(rootfs: string, root: string, identity: HostIdentity): Promise<void> {
  if (existsSync(root)) return;
  const half = `${root}.half`;
  await mkdir(dirname(root), { recursive: true });
  await removeTree(half);
  await run('cp', ['-a', '--reflink=auto', rootfs, half]);
  await personalise(half, identity);
  await rename(half, root);
}

/** Points a host's apt at the lab's repository, the only one it can reach. */
export async function writeAptSource(root: string, apt: AptAccess): Promise<void> {
  const key = 'usr/share/keyrings/lab.asc';
  await copyFile(apt.keyFile, join(root, key));
  const line = `deb [signed-by=/${key}] ${apt.url} ${apt.suite} ${apt.component}\n`;
  await writeFile(join(root, 'etc/apt/sources.list'), line);
}

/** Points a host's dnf at the lab's repository: packages and index have to be signed, as in a distribution. */
export async function writeDnfSource(root: string, { url, keyFile }: RpmAccess): Promise<void> {
  const key = 'etc/pki/rpm-gpg/RPM-GPG-KEY-lab';
  await mkdir(join(root, dirname(key)), { recursive: true });
  await copyFile(keyFile, join(root, key));
  await mkdir(join(root, 'etc/yum.repos.d'), { recursive: true });
  const lines = ['[baseos]', 'name=BaseOS of the lab', `baseurl=${url}`, 'enabled=1', 'gpgcheck=1', 'repo_gpgcheck=1'];
  await writeFile(join(root, 'etc/yum.repos.d/lab.repo'), [...lines, `gpgkey=file:///${key}`, ''].join('\n'));
}

/** Removes a host's root without leaving its file system, whatever is mounted in it, and the lock that a kill left on it. */
export async function removeRoot(root: string): Promise<void> {
  const { dev, ino } = await stat(root).catch(() => ({ dev: 0, ino: 0 }));
  await rm(`/run/systemd/nspawn/locks/inode-${dev}:${ino}`, { force: true });
  await removeTree(root);
}

/** Removes a folder and all below it on the same file system. */
export async function removeTree(folder: string): Promise<void> {
  const argv = ['-rf', '--one-file-system', folder];
  // A copy that was just killed may still be making its last file.
  for (let tries = 0; tries < 5; tries++) {
    if ((await tryRun('rm', argv)).exitCode === 0) return;
    await sleep(500);
  }
  await run('rm', argv);
}

async function personalise(root: string, identity: HostIdentity): Promise<void> {
  const { name, prefix, hostKeyFile } = identity;
  const etc = join(root, 'etc');
  await writeFile(join(etc, 'hostname'), `${name}\n`);
  await writeFile(join(etc, 'hosts'), renderHosts(name));
  await writeFile(join(etc, 'resolv.conf'), `nameserver ${gatewayAddress(prefix)}\n`);
  await writeFile(join(etc, 'machine-id'), `${randomBytes(16).toString('hex')}\n`, { mode: 0o444 });
  await copyFile(hostKeyFile, join(etc, 'ssh/ssh_host_ed25519_key'));
  await chmod(join(etc, 'ssh/ssh_host_ed25519_key'), 0o600);
  await copyFile(`${hostKeyFile}.pub`, join(etc, 'ssh/ssh_host_ed25519_key.pub'));
  await writeFile(join(etc, 'systemd/system/lab-host.service'), renderHostUnit(identity));
  await mkdir(join(etc, 'systemd/system/sysinit.target.wants'), { recursive: true });
  await symlink('../lab-host.service', join(etc, 'systemd/system/sysinit.target.wants/lab-host.service'));
  if (identity.apt) await writeAptSource(root, identity.apt);
  if (identity.rpm) await writeDnfSource(root, identity.rpm);
  await authorise(root, await readFile(identity.publicKeyFile, 'utf8'));
  await run('chpasswd', ['-R', root], { input: `pwsudo:${identity.sudoPassword}\n` });
}

function renderHosts(name: string): string {
  return [
    '127.0.0.1\tlocalhost',
    `127.0.1.1\t${name}`,
    '::1\t\tlocalhost ip6-localhost ip6-loopback',
    'ff02::1\t\tip6-allnodes',
    'ff02::2\t\tip6-allrouters',
    '',
  ].join('\n');
}

/** What the firmware and the network manager of a real server would do: nspawn mounts version 1 cgroups read-only. */
function renderHostUnit({ address, prefix }: HostIdentity): string {
  return `[Unit]
Description=Address and writable cgroups of this lab host
DefaultDependencies=no
Before=sysinit.target network-pre.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'for c in /sys/fs/cgroup/*/; do mount -o remount,rw,bind "$c" || :; done'
ExecStart=/bin/sh -c 'ip link set lo up; ip addr replace ${address}/24 dev host0; ip link set host0 up; ip route replace default via ${deadGateway(prefix)}'

[Install]
WantedBy=sysinit.target
`;
}

async function authorise(root: string, publicKey: string): Promise<void> {
  const passwd = await readFile(join(root, 'etc/passwd'), 'utf8');
  const entries = passwd.split('\n').map((line) => line.split(':'));
  for (const user of loginUsers) {
    const [, , uid, gid, , home] = entries.find(([name]) => name === user) ?? [];
    if (home === undefined) throw new Error(`the root file system has no user ${user}`);
    const folder = join(root, home, '.ssh');
    await mkdir(folder, { recursive: true });
    await chmod(folder, 0o700);
    await writeFile(join(folder, 'authorized_keys'), publicKey, { mode: 0o600 });
    for (const path of [folder, join(folder, 'authorized_keys')]) await chown(path, Number(uid), Number(gid));
  }
}
