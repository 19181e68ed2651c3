import { messageOf } from '../../src/errors.ts';
import { install } from '../lab/available.ts';

/** Programs that integration tests drive or compare with, and the Debian package of each; docker-registry and crane come from the lab's cache. */
const tools: Readonly<Record<string, string>> = {
  sshd: 'openssh-server',
  'ssh-keygen': 'openssh-client',
  skopeo: 'skopeo',
  dnf: 'dnf',
  zypper: 'zypper',
  rpm: 'rpm',
  rpmbuild: 'rpm',
  createrepo_c: 'createrepo-c',
  'apt-ftparchive': 'apt-utils',
  gpg: 'gnupg',
  xz: 'xz-utils',
  openssl: 'openssl',
  ip: 'iproute2',
  flock: 'util-linux',
  setpriv: 'util-linux',
};

/**
 * Before the integration tests: installs what the machine lacks, as root of a Debian-like system. Elsewhere, and where a package cannot be
 * had, the suites that need it are skipped and say so.
 */
export default async function setup(): Promise<void> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return;
  const log = (line: string): void => void process.stderr.write(`${line}\n`);
  await install(tools, log).catch((error: unknown) => {
    log(`not installed: ${messageOf(error)}`);
  });
}
