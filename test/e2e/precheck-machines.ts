import { must, type Undo } from '../lab/faults/index.ts';
import type { LabHost } from '../lab/host.ts';
import { broken, changed, type HostFault } from './precheck-faults.ts';

/** Shows a host another text in the place of a file, also of /proc and /sys; one kernel runs under all hosts of a lab. */
export function shown(path: string, text: string): (host: LabHost) => Promise<Undo> {
  return async (host) => {
    // The mount holds the file once its name is gone.
    await must(host, `set -e; cat >/run/shown; chmod 755 /run/shown; mount --bind /run/shown ${path}; rm /run/shown`, {
      input: text,
    });
    return async () => {
      await must(host, `umount ${path}`);
    };
  };
}

/** Puts a program where there is none. */
export function program(path: string, body: string): (host: LabHost) => Promise<Undo> {
  return async (host) => {
    await must(host, `set -e; cat >${path}; chmod 755 ${path}`, { input: `#!/bin/sh\n${body}\n` });
    return async () => {
      await must(host, `rm ${path}`);
    };
  };
}

/** Lets a program of the host answer otherwise for a pattern of its arguments, and as ever for all others. */
export function answering(path: string, pattern: string, body: string): (host: LabHost) => Promise<Undo> {
  return async (host) => {
    const kept = `/run/kept-${path.split('/').at(-1) ?? ''}`;
    await must(host, `cp ${path} ${kept}`);
    const undo = await shown(
      path,
      `#!/bin/sh\ncase "$*" in ${pattern}) ${body} ;; *) exec ${kept} "$@" ;; esac\n`,
    )(host);
    return async () => {
      await undo();
      await must(host, `rm ${kept}`);
    };
  };
}

/** Several at once; undone in the reverse order. */
export function all(...causes: readonly ((host: LabHost) => Promise<Undo>)[]): (host: LabHost) => Promise<Undo> {
  return async (host) => {
    const undos: Undo[] = [];
    const undoAll = async (): Promise<void> => {
      for (const undo of undos) await undo();
    };
    for (const cause of causes) {
      const undo = await cause(host).catch(async (error: unknown) => {
        await undoAll();
        throw error;
      });
      undos.unshift(undo);
    }
    return undoAll;
  };
}

function uname(kernel: string, machine: string): (host: LabHost) => Promise<Undo> {
  return (host) => answering('/usr/bin/uname', '"-n -r -m"', `echo ${host.name} ${kernel} ${machine}`)(host);
}

const currentKernel = '6.1.0-21-amd64';

/** What a machine, its kernel or its distribution may be like, each with all that a precheck finds then. */
export const machineFaults: readonly HostFault[] = [
  [
    'a distribution that nobody knows',
    shown('/etc/os-release', 'ID=slackware\nVERSION_ID="15.0"\nPRETTY_NAME="Slackware 15.0"\n'),
    3,
    ['os-supported warning: slackware 15.0', 'os-consistent error: slackware 15.0, and 2 hosts have debian 12'],
  ],
  ['another architecture', uname(currentKernel, 'riscv64'), 3, ['architecture-supported error: riscv64']],
  [
    'hugepages on ARM',
    all(
      uname(currentKernel, 'aarch64'),
      shown('/sys/kernel/mm/transparent_hugepage/enabled', '[always] madvise never\n'),
    ),
    3,
    ['transparent-hugepage warning: always', 'arch-consistent error: arm64, and 2 hosts have amd64'],
  ],
  [
    'the kernel of CentOS 7',
    uname('3.10.0-1160.el7.x86_64', 'x86_64'),
    0,
    [
      'kernel-supported warning: 3.10.0-1160.el7.x86_64',
      'cgroup-kmem warning: kernel 3.10.0-1160.el7.x86_64 without cgroup.memory=nokmem',
    ],
  ],
  [
    'a kernel that was upgraded',
    all(
      answering('/usr/bin/head', '"-n 1 /proc/modules"', 'echo overlay 151552 0 - Live 0x0'),
      broken('mkdir -p /usr/lib/modules/6.0.0-9-amd64', 'rm -r /usr/lib/modules'),
    ),
    3,
    ['kernel-not-upgraded error: '],
  ],
  [
    'a kernel without VXLAN',
    all(
      broken('mkdir -p /usr/lib/modules/$(uname -r)', 'rm -r /usr/lib/modules'),
      answering('/usr/bin/kmod', '"-n -q vxlan"', 'exit 1'),
    ),
    3,
    ['kernel-modules error: missing: vxlan'],
  ],
  [
    'an old systemd',
    answering('/usr/bin/systemctl', '--version', 'echo systemd 219'),
    3,
    ['systemd-running error: systemd 219'],
  ],
  ['one core', shown('/usr/bin/nproc', '#!/bin/sh\necho 1\n'), 3, ['cpu error: 1 core']],
  [
    'little memory',
    shown('/proc/meminfo', 'MemTotal:        1048576 kB\nMemFree:          524288 kB\nMemAvailable:     524288 kB\n'),
    3,
    ['memory error: 1024 MiB'],
  ],
  [
    'an old containerd',
    program('/usr/bin/containerd', 'echo containerd containerd.io 1.7.27 05044ec'),
    3,
    ['runtime-usable error: containerd 1.7.27 at /usr/bin/containerd'],
  ],
  [
    'XFS without file types',
    program('/usr/sbin/xfs_info', 'echo "naming   =version 2              bsize=4096   ascii-ci=0, ftype=0"'),
    3,
    ['disk-filesystem error: '],
  ],
  [
    'upgrades by themselves',
    all(
      program('/usr/bin/unattended-upgrade', 'exit 0'),
      broken(
        `echo 'APT::Periodic::Unattended-Upgrade "1";' >/etc/apt/apt.conf.d/20auto-upgrades`,
        'rm /etc/apt/apt.conf.d/20auto-upgrades',
      ),
      // One that is active and never fires, in the place of the one that is masked.
      broken(
        'cd /etc/systemd/system && mv apt-daily-upgrade.timer /root/ && printf "[Timer]\\nOnActiveSec=300d\\n" >apt-daily-upgrade.timer && systemctl daemon-reload && systemctl start apt-daily-upgrade.timer',
        'systemctl stop apt-daily-upgrade.timer; mv /root/apt-daily-upgrade.timer /etc/systemd/system/ && systemctl daemon-reload',
      ),
    ),
    0,
    ['unattended-upgrades warning: unattended-upgrades is active'],
  ],
  [
    'few tasks for services',
    broken(
      'mkdir -p /etc/systemd/system.conf.d && printf "[Manager]\\nDefaultTasksMax=512\\n" >/etc/systemd/system.conf.d/low.conf && systemctl daemon-reexec',
      'rm -r /etc/systemd/system.conf.d && systemctl daemon-reexec',
    ),
    0,
    ['default-tasks-max warning: DefaultTasksMax=512'],
  ],
  [
    'a resolver that is slow',
    changed('/etc/resolv.conf', 'sed -i "1i nameserver 192.0.2.1\\noptions timeout:2 attempts:1" /etc/resolv.conf'),
    0,
    ['resolver-answers warning: 2.'],
  ],
  [
    'no nameserver',
    changed('/etc/resolv.conf', ': >/etc/resolv.conf'),
    3,
    ['resolv-conf error: /etc/resolv.conf is missing'],
  ],
  [
    'a search domain that shadows services',
    changed('/etc/resolv.conf', 'echo search svc.cluster.local >>/etc/resolv.conf'),
    0,
    ['resolv-conf warning: search svc.cluster.local in /etc/resolv.conf'],
  ],
  [
    'a route that refuses pods',
    broken('ip route add blackhole 10.244.0.0/16', 'ip route del blackhole 10.244.0.0/16'),
    3,
    ['subnets-disjoint error: the route blackhole 10.244.0.0/16 leads into the pod subnet'],
  ],
  [
    'a route that refuses services',
    broken('ip route add prohibit 10.0.0.0/9', 'ip route del prohibit 10.0.0.0/9'),
    3,
    ['default-route error: 10.96.0.0/12 ends in the route prohibit 10.0.0.0/9'],
  ],
  [
    'a default route of IPv6 alone',
    broken(
      'ip route show default >/root/routes && ip route del default && ip address add fd00:88::2/64 dev host0 nodad && ip -6 route add default via fd00:88::fe',
      'ip -6 route del default; ip address del fd00:88::2/64 dev host0; ip route add $(cat /root/routes) && rm /root/routes',
    ),
    3,
    ['default-route error: none of IPv4 covers 10.96.0.0/12'],
  ],
  [
    'the port of VXLAN taken',
    broken(
      'systemd-run --quiet --collect --unit=e2e-udp socat -u UDP-RECV:8472 OPEN:/dev/null',
      'systemctl stop e2e-udp.service',
    ),
    3,
    ['ports-free error: port 8472/udp is held by socat'],
  ],
  [
    'the network of another cluster',
    broken('ip link add cni0 type bridge', 'ip link del cni0'),
    3,
    ['leftovers error: the interface cni0'],
  ],
  [
    'kubelet, pods and data of another cluster',
    broken(
      'mkdir -p /var/lib/etcd/member /var/log/pods/x && touch /etc/systemd/system/kubelet.service',
      'rm -r /var/lib/etcd /var/log/pods /etc/systemd/system/kubelet.service',
    ),
    3,
    [
      'leftovers error: /etc/systemd/system/kubelet.service',
      'leftovers error: /var/lib/etcd/member',
      'leftovers error: /var/log/pods/x',
    ],
  ],
  [
    'empty folders of a former cluster',
    broken(
      'mkdir -p /var/lib/etcd /var/log/pods /etc/kubernetes/manifests',
      'rm -r /var/lib/etcd /var/log/pods /etc/kubernetes',
    ),
    0,
    [],
  ],
];
