import { readFile } from 'node:fs/promises';
import { must } from './faults/must.ts';
import type { Log } from './commands.ts';
import type { LabHost } from './host.ts';
import { unpackMorePackages } from './more-packages.ts';
import type { RpmAccess } from './upstream/index.ts';

/** Turns a host of the rpm family into one of openSUSE: zypper is real and dnf is gone. */
export async function becomeSuse(host: LabHost, { url, keyFile }: RpmAccess, log: Log): Promise<void> {
  await unpackMorePackages(host, ['zypper'], log);
  await must(host, 'cat >/etc/lab.asc', { input: await readFile(keyFile, 'utf8') });
  // A distribution's own key is known to rpm from the start.
  await must(
    host,
    `set -e
rm -r /usr/bin/dnf* /etc/dnf /etc/yum.repos.d
mkdir -p /etc/zypp/repos.d
printf '[oss]\\nname=oss\\nenabled=1\\nautorefresh=1\\nbaseurl=${url}\\ngpgcheck=1\\n' >/etc/zypp/repos.d/oss.repo
printf 'NAME="openSUSE Leap"\\nID="opensuse-leap"\\nID_LIKE="suse opensuse"\\nVERSION_ID="15.6"\\nPRETTY_NAME="openSUSE Leap 15.6 (installer lab)"\\n' >/etc/os-release
rpm --import /etc/lab.asc
rm /etc/lab.asc`,
  );
}

/** Turns a host of the rpm family into one that has yum only: it is dnf under this name, as from release 8 on. */
export async function becomeYumHost(host: LabHost): Promise<void> {
  await must(
    host,
    `set -e
mv /usr/bin/dnf-3 /usr/bin/yum
rm /usr/bin/dnf
printf 'NAME="CentOS Linux"\\nID="centos"\\nID_LIKE="rhel fedora"\\nVERSION_ID="8"\\nPRETTY_NAME="CentOS Linux 8 (installer lab)"\\n' >/etc/os-release`,
  );
}
