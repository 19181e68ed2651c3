import type { CgroupHierarchy } from './cgroups.ts';

export interface SupervisedHost {
  readonly root: string;
  readonly machine: string;
  readonly bridge: string;
  /** Name of the host's cgroup below each hierarchy. */
  readonly cgroup: string;
  readonly consoleFile: string;
  readonly hierarchies: readonly CgroupHierarchy[];
}

/**
 * The script that boots a host and boots it again after a reboot, but not after power-off or a kill. systemd-nspawn restarts a
 * container itself, except where /run lies on a disk: there it says that the container reboots and then ends with an error.
 */
export function renderSupervisor(host: SupervisedHost): string {
  const folders = host.hierarchies.map(({ path }) => `${path}/${host.cgroup}`);
  const cpusets = host.hierarchies.filter(({ cpuset }) => cpuset).map(({ path }) => `${path}/${host.cgroup}`);
  return `#!/bin/sh
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export SYSTEMD_NSPAWN_API_VFS_WRITABLE=1 SYSTEMD_NSPAWN_USE_CGNS=1
umask 022

# Stale pod groups of an earlier boot would stall the kubelet.
fresh_cgroups() {
  for folder in ${folders.map(quote).join(' ')}; do
    [ ! -d "$folder" ] || find "$folder" -depth -type d -exec rmdir {} + 2>/dev/null
    mkdir -p "$folder"
  done
  for folder in ${cpusets.map(quote).join(' ')}; do
    cat "$folder/../cpuset.cpus" >"$folder/cpuset.cpus"
    cat "$folder/../cpuset.mems" >"$folder/cpuset.mems"
  done
}

boot() {
  for folder in ${folders.map(quote).join(' ')}; do echo 0 >"$folder/cgroup.procs"; done
  exec systemd-nspawn --keep-unit --register=no --resolv-conf=off -D ${quote(host.root)} -b \\
    --machine=${host.machine} --network-bridge=${host.bridge} --console=read-only --timezone=off \\
    --capability=all --drop-capability=CAP_SYS_TIME --system-call-filter=@known --bind-ro=/dev/kmsg
}

while :; do
  fresh_cgroups
  (boot) </dev/null >${quote(host.consoleFile)} 2>&1
  tail -n 3 ${quote(host.consoleFile)} | grep -q 'is being rebooted' || exit 0
done
`;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
