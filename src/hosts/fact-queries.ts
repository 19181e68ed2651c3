import { apparmorProfilesQuery } from '../ops/apparmor-query.ts';
import { hostPaths } from '../ops/host-paths.ts';
import { commandQuery, fileQuery, type Query } from '../ops/query.ts';
import { sysctlFilesQuery } from '../ops/sysctl-query.ts';
import { swapUnitsQuery } from '../ops/swap-query.ts';
import { ownTimeServersQuery } from '../ops/time-query.ts';
import { toolsQuery } from '../ops/tools-query.ts';

/** Tools that phases, kubeadm or kubelet call on a host; kubeadm's own preflight names most of them. */
export const probedTools = [
  'containerd', 'curl', 'wget', 'tar', 'ip', 'ss', 'iptables', 'mount', 'nsenter', 'modprobe', 'sysctl', 'swapoff', 'conntrack', 'ethtool', 'socat', 'tc',
  'flock', 'sha256sum', 'systemd-run', 'xargs', 'diff', 'timeout', 'unattended-upgrade', 'bash', 'systemd-socket-activate', 'docker', 'runc',
  'ebtables', 'ipset', 'chronyd', 'apt-get', 'dnf', 'yum', 'zypper', 'bc',
] as const; // prettier-ignore

/** Where an installation and what runs later write. */
const freePaths = ['/', '/opt', '/usr/local', '/var/lib', '/var/lib/containerd', '/var/lib/etcd', '/var/lib/kubelet'];

/** Where a kubeadm cluster leaves traces; what stands there and is not this cluster's is a leftover. */
const leftoverPaths = [
  '/etc/kubernetes/admin.conf', '/etc/kubernetes/kubelet.conf', '/etc/kubernetes/manifests', '/etc/kubernetes/pki', '/etc/systemd/system/kubelet.service',
  '/var/lib/etcd/member', '/var/lib/kubelet/pki', '/var/log/pods', '/etc/cni/net.d',
] as const; // prettier-ignore

/** Files there, the database of etcd, and folders of logs; a folder that is empty is none, and what the owner of a disk has beside the database neither. */
const findLeftovers = [
  'find', ...leftoverPaths, '-maxdepth', '1', '!', '-name', 'lost+found', '(', '!', '-type', 'd', '-o', '-path', '/var/lib/etcd/member', '-o', '-path',
  '/var/log/pods/*', ')',
] as const; // prettier-ignore

/** Their states tell of packet filters and of upgrades that nobody asks for. */
export const probedUnits = [
  'firewalld.service', 'ufw.service', 'apt-daily-upgrade.timer', 'dnf-automatic.timer', 'dnf-automatic-install.timer', 'yum-cron.service',
  'nftables.service', 'iptables.service', 'dnf5-automatic.timer', 'packagekit.service', 'transactional-update.timer',
] as const; // prettier-ignore

/** `MOUNT ftype=N` for the XFS file systems of the paths that are there. Older xfs_info takes mount points only. */
const xfsInfo = `df -P "$@" 2>/dev/null | sed -n '2,$s/.*% //p' | sort -u | while read -r m; do
f=$(xfs_info "$m" 2>/dev/null | grep -o 'ftype=[01]') && printf '%s %s\\n' "$m" "$f"
done; exit 0`;

/** A function of the shell: whether a module, named with underscores, is there or can be; true where the host has no folder of modules. */
export const canLoad = `can_load() { [ -d "/sys/module/$1" ] || [ ! -d "/lib/modules/$(uname -r)" ] || modprobe -n -q "$1"; }`;

/**
 * Features of the kernel that are positively not there, a line each: neither in the running kernel nor as a module of it. Without
 * a folder of modules nothing is known of those that are not in use yet.
 */
const missingFeatures = `${canLoad}
grep -qw overlay /proc/filesystems || can_load overlay || echo overlay
[ -d /proc/sys/net/bridge ] || can_load br_netfilter || echo br_netfilter
[ -e /proc/sys/net/netfilter/nf_conntrack_max ] || can_load nf_conntrack || echo nf_conntrack
for m in vxlan ip_vs ip_vs_rr ip_vs_wrr ip_vs_sh nf_conntrack_ipv4; do can_load $m || echo $m; done
exit 0`;

/** What the package manager itself finds wrong, a line each: half-done installations, lists of repositories that it cannot read. */
const packageTrouble = `if command -v apt-get >/dev/null; then
ls /var/lib/dpkg/updates 2>/dev/null | grep -q . && echo 'dpkg was interrupted'
dpkg --audit 2>/dev/null | sed -n 's/^ \\([a-z0-9][^ ]*\\) .*/half installed: \\1/p' | head -n 20
apt-get --print-uris -o Debug::NoLocking=1 update 2>&1 >/dev/null | grep '^E: .* in list file' | head -n 5
elif command -v rpm >/dev/null; then rpm -q rpm 2>&1 | grep -i '^error' | head -n 5
fi; exit 0`;

/** `PACKAGE PATH` of container programs that a package brought; those that the installer laid down are no package's. */
const toolPackages = `programs='docker containerd runc'
for t in $programs; do
[ ! -d ${hostPaths.artifacts}/$t ] && p=$(command -v $t) || continue
for f in "$p" "$(readlink -f "$p")"; do
n=$(dpkg-query -S "$f" "\${f#/usr}" 2>/dev/null | sed -n 's/^\\([^ :,]*\\)[^ ]*: .*/\\1/p' | head -n 1)
[ -n "$n" ] || n=$(rpm -qf --qf '%{NAME}\\n' "$f" 2>/dev/null) || n=
[ -z "$n" ] || { echo "$n $p"; break; }
done
done; exit 0`;

/** Lines with UseDNS, and `unreadable PATH` for what the account may not read. */
const useDns = `conf=/etc/ssh/sshd_config
for f in $conf $conf.d $conf.d/*.conf; do [ ! -e "$f" ] || [ -r "$f" ] || echo "unreadable $f"; done
grep -ihsE '^[[:space:]]*UseDNS' $conf $conf.d/*.conf; exit 0`;

/** `4 VALUE` and `6 VALUE` of forwarding, with ` fixed` where it may not be written; `none` where the kernel has no such family. */
const forwarding = `tell() { if [ ! -r "$2" ]; then echo "$1 none"; return; fi
read -r v <"$2"; if [ -w "$2" ]; then echo "$1 $v"; else echo "$1 $v fixed"; fi; }
tell 4 /proc/sys/net/ipv4/ip_forward; tell 6 /proc/sys/net/ipv6/conf/all/forwarding; exit 0`;

/** Everything that facts are read from; asked in one round trip. */
export const factQueries = {
  clock: commandQuery(['date', '+%s%3N']),
  osRelease: fileQuery('/etc/os-release'),
  uname: commandQuery(['uname', '-n', '-r', '-m']),
  cpus: commandQuery(['nproc']),
  meminfo: fileQuery('/proc/meminfo'),
  machineId: fileQuery('/etc/machine-id'),
  productUuid: fileQuery('/sys/class/dmi/id/product_uuid'),
  addresses: commandQuery(['ip', '-o', 'addr', 'show']),
  routes: commandQuery(['ip', '-o', 'route', 'show']),
  routes6: commandQuery(['ip', '-6', '-o', 'route', 'show']),
  listeners: commandQuery(['ss', '-Hlntup']),
  systemd: commandQuery(['systemctl', '--version']),
  cgroup: commandQuery(['stat', '-f', '-c', '%T', '/sys/fs/cgroup']),
  swaps: fileQuery('/proc/swaps'),
  fstab: fileQuery('/etc/fstab'),
  swapUnits: swapUnitsQuery,
  resolvConf: fileQuery('/etc/resolv.conf'),
  // A name under .invalid cannot exist (RFC 6761): a resolver that works says so at once.
  resolver: commandQuery(['getent', 'ahosts', 'installer-resolver-check.invalid.'], { timeoutSeconds: 6 }),
  tools: toolsQuery(probedTools),
  // Paths that are not there are left out.
  free: commandQuery(['df', '-Pk', ...freePaths]),
  leftovers: commandQuery([...findLeftovers]),
  containerd: commandQuery(['containerd', '--version']),
  containerdRecord: fileQuery(`${hostPaths.artifacts}/containerd/source`, { content: false }),
  kubeletRecord: fileQuery(`${hostPaths.artifacts}/kubelet/source`),
  identity: fileQuery(hostPaths.identity),
  ca: fileQuery('/etc/kubernetes/pki/ca.crt', { content: false }),
  account: commandQuery(['id', '-u']),
  links: commandQuery(['ip', '-o', 'link', 'show']),
  zoneOffset: commandQuery(['date', '+%z']),
  zoneFile: commandQuery(['readlink', '-f', '/etc/localtime']),
  hostsFile: fileQuery('/etc/hosts'),
  resolvedConf: fileQuery('/run/systemd/resolve/resolv.conf'),
  selinux: fileQuery('/sys/fs/selinux/enforce'),
  // The policy lies where only root may look; what it was made of may be read by all.
  containerPolicy: commandQuery([
    '/bin/sh',
    '-c',
    'ls -d /var/lib/selinux/*/active/modules/*/container /etc/selinux/*/active/modules/*/container /usr/share/selinux/packages/*/container.pp* /usr/share/selinux/packages/container.pp* 2>/dev/null; exit 0',
  ]),
  ipForward: commandQuery(['/bin/sh', '-c', forwarding]),
  units: commandQuery(['systemctl', 'is-active', ...probedUnits]),
  ufw: fileQuery('/etc/ufw/ufw.conf'),
  ufwAtBoot: fileQuery('/etc/systemd/system/multi-user.target.wants/ufw.service', { content: false }),
  aptUpgrades: commandQuery(['apt-config', 'shell', 'VALUE', 'APT::Periodic::Unattended-Upgrade']),
  dnfAutomatic: fileQuery('/etc/dnf/automatic.conf'),
  moduleTrees: commandQuery(['ls', '-1', '/lib/modules']),
  loadedModules: commandQuery(['head', '-n', '1', '/proc/modules']),
  mounts: commandQuery([
    'grep',
    '-E',
    ' /(etc|usr|usr/local|var|var/lib|var/lib/containerd|tmp)? ',
    '/proc/self/mounts',
  ]),
  temporaryFolder: fileQuery('/tmp', { content: false }),
  xfs: commandQuery(['/bin/sh', '-c', xfsInfo, 'sh', '/var/lib', '/var/lib/containerd']),
  useDns: commandQuery(['/bin/sh', '-c', useDns]),
  coreLimit: commandQuery(['/bin/sh', '-c', 'ulimit -c']),
  tasksMax: commandQuery(['systemctl', 'show', '-p', 'DefaultTasksMax']),
  hugepages: fileQuery('/sys/kernel/mm/transparent_hugepage/enabled'),
  cmdline: fileQuery('/proc/cmdline'),
  apparmor: fileQuery('/sys/module/apparmor/parameters/enabled'),
  apparmorProfiles: apparmorProfilesQuery,
  missingFeatures: commandQuery(['/bin/sh', '-c', missingFeatures]),
  sysctlFiles: sysctlFilesQuery,
  ownTimeServers: ownTimeServersQuery,
  packageTrouble: commandQuery(['/bin/sh', '-c', packageTrouble]),
  toolPackages: commandQuery(['/bin/sh', '-c', toolPackages]),
  // Last: with the first one it tells how much of the round trip was the way there and back.
  clockAtEnd: commandQuery(['date', '-u', '+%s%3N']),
} as const satisfies Record<string, Query>;
