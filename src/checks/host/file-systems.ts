import { mountOf, type Mount } from '../../hosts/facts-settings.ts';
import type { HostCheck } from '../check.ts';

export const diskFilesystem: HostCheck = {
  id: 'disk-filesystem',
  scope: 'host',
  title: 'XFS without file types',
  severity: 'error',
  expected: 'ftype=1 on the file system of /var/lib and of /var/lib/containerd, where it is XFS',
  remedy: 'make the file system anew with mkfs.xfs -n ftype=1, or mount another one at /var/lib/containerd',
  source: 'Linux kernel, overlayfs: the upper file system must return file types; host requirements',
  reads: ['xfs'],
  run: ({ facts }) =>
    facts.xfsWithoutFileTypes.map((mount) => ({
      actual: `ftype=0 on ${mount}`,
      about: (line: string) => line === `${mount} ftype=0`,
    })),
};

export const diskQuota: HostCheck = {
  id: 'disk-quota',
  scope: 'host',
  title: 'No project quotas',
  severity: 'error',
  expected:
    'where spec.checks.projectQuota is true: /var/lib/containerd is on a file system with project quotas (prjquota)',
  remedy:
    'mount the file system with prjquota (XFS; for / with rootflags=prjquota; ext4 needs the feature project), or leave spec.checks.projectQuota out',
  source: 'xfs(5), mount options: prjquota; host requirements: project quota when asked',
  reads: ['mounts'],
  run({ facts }, cluster) {
    if (!cluster.config.spec.checks.projectQuota) return [];
    const mount = mountOf(facts.mounts, '/var/lib/containerd');
    if (mount === undefined || mount.options.some((option) => option === 'prjquota' || option === 'pquota')) return [];
    return [{ actual: `${mount.path} is mounted without prjquota`, about: isLineOf(mount) }];
  },
};

/** /etc, /var/lib and /usr/local are what the installer writes to. */
export const fileSystemsWritable: HostCheck = {
  id: 'file-systems-writable',
  scope: 'host',
  title: 'A file system is read-only',
  severity: 'error',
  expected: '/etc, /var/lib and /usr/local can be written to',
  remedy: 'mount it read-write; where the kernel made it read-only after an error (see dmesg), repair the disk first',
  source: 'the phases of the installer, kubeadm and kubelet write there',
  reads: ['mounts'],
  run({ facts }) {
    return ['/etc', '/var/lib', '/usr/local'].flatMap((path) => {
      const mount = mountOf(facts.mounts, path);
      if (mount?.options.includes('ro') !== true) return [];
      const actual = mount.path === path ? `${path} is read-only` : `${path} is on ${mount.path}, which is read-only`;
      return [{ actual, about: isLineOf(mount) }];
    });
  },
};

export const tmpUsable: HostCheck = {
  id: 'tmp-usable',
  scope: 'host',
  title: '/tmp cannot be used as usual',
  severity: 'error',
  expected:
    'a folder /tmp that every account may list and write to (mode 1777), on a file system from which programs may be started',
  remedy: 'mkdir -p /tmp && chmod 1777 /tmp; for noexec: mount -o remount,exec /tmp',
  source: 'hier(7) and file-hierarchy(7); host requirements',
  reads: ['temporaryFolder', 'mounts'],
  run({ facts }) {
    const { temporaryFolderMode: mode, mounts } = facts;
    if (mode === undefined) return [{ actual: 'there is no folder /tmp', reads: ['temporaryFolder'] }];
    const mount = mountOf(mounts, '/tmp');
    const options = mount?.options ?? [];
    const mountRead = { reads: ['mounts'], ...(mount && { about: isLineOf(mount) }) } as const;
    return [
      ...(options.includes('ro') ? [{ actual: '/tmp is read-only', ...mountRead }] : []),
      ...(mode === '1777'
        ? []
        : [
            {
              actual: `mode ${mode}`,
              severity: mayList(mode) ? 'warning' : 'error',
              reads: ['temporaryFolder'],
            } as const,
          ]),
      ...(options.includes('noexec')
        ? [
            {
              actual: 'mounted noexec; installers of drivers and add-ons start programs there',
              severity: 'warning',
              ...mountRead,
            } as const,
          ]
        : []),
    ];
  },
};

/** Octal: whether others than the owner may list and enter the folder. */
function mayList(mode: string): boolean {
  return (Number.parseInt(mode, 8) & 0o5) === 0o5;
}

/** A line of /proc/self/mounts. */
function isLineOf({ path }: Mount): (line: string) => boolean {
  return (line) => line.split(' ')[1] === path;
}
