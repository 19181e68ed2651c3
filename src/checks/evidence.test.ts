import { describe, expect, it } from 'vitest';
import { createFakeHost, type CommandAnswer } from '../../test/support/fake-host.ts';
import { testCluster, testConfig } from '../../test/support/cluster.ts';
import { factQueries } from '../hosts/fact-queries.ts';
import { parseFacts, type Facts } from '../hosts/facts.ts';
import { missingReport, type PeerReport } from '../hosts/peer-report.ts';
import type { Cluster } from '../kubernetes/cluster.ts';
import { runChecks, type Finding } from './check.ts';
import { checks } from './index.ts';

interface Sick {
  readonly files?: Readonly<Record<string, string>>;
  readonly commands?: Readonly<Record<string, CommandAnswer>>;
  /** YAML of the cluster file's hosts. */
  readonly hosts?: string;
  /** More YAML of its spec. */
  readonly spec?: string;
}

/** A host on which everything is wrong that can be at the same time. */
const sickFiles = {
  '/etc/os-release': 'ID=plan9\nVERSION_ID="4"\nSECRET=hunter22\n',
  '/proc/meminfo': 'MemTotal:         524288 kB\nMemFree:          120000 kB\n',
  '/etc/machine-id': '0123456789abcdef0123456789abcdef\n',
  '/sys/class/dmi/id/product_uuid': 'uuid-of-all\n',
  '/proc/swaps': 'Filename\t\tType\t\tSize\t\tUsed\t\tPriority\n/dev/sda2   partition\t8388604\t\t0\t\t-2\n',
  '/etc/hosts': '127.0.0.1 localhost\n127.0.0.2 localhost\n10.9.9.9 w2\n',
  '/etc/resolv.conf': '# by hand\nnameserver 127.0.0.53\n',
  '/sys/fs/selinux/enforce': '1',
  '/etc/ufw/ufw.conf': 'ENABLED=yes\nLOGLEVEL=low\n',
  '/sys/kernel/mm/transparent_hugepage/enabled': '[always] madvise never\n',
  '/proc/cmdline': 'quiet rd.luks.key=hunter22\n',
  '/var/lib/installer/cluster.json': '{"clusterId":"c9","clusterName":"other"}',
  '/tmp': '',
};

const sickCommands: Readonly<Record<string, CommandAnswer>> = {
  'date +%s%3N': '1900000060000\n',
  'date -u': '1900000060000\n',
  'uname -n -r -m': 'Node_1 3.10.0-1160.el7.x86_64 riscv64\n',
  nproc: '1\n',
  'ip -o addr show': '2: eth0    inet 10.96.0.5/24 brd 10.96.0.255 scope global eth0\n',
  'ip -o route show': '10.244.1.0/24 dev eth0 scope link\n',
  'ip -6 -o route show': '',
  'ip -o link show': '2: eth0: <UP> mtu 1500\\    link/ether 02:00:00:00:00:01 brd ff:ff:ff:ff:ff:ff\n',
  'ss -Hlntup': 'tcp   LISTEN 0   4096   *:10250   *:*   users:(("nc",pid=15,fd=12))\n',
  'systemctl --version': 'systemd 219\n+PAM\n',
  'systemctl is-active': { exitCode: 0, stdout: 'inactive\nactive\nactive\ninactive\ninactive\ninactive\n' },
  'systemctl show': 'DefaultTasksMax=512\n',
  'stat -f -c %T /sys/fs/cgroup': 'tmpfs\n',
  'getent ahosts': { unknown: 'no answer in time' },
  'df -Pk': 'Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/sda1 100 40 60 40% /\n',
  'find ': '/etc/kubernetes/pki/ca.crt\n',
  'containerd --version': 'containerd github.com/containerd/containerd 1.7.1 abc\n',
  'id -u': '0\n',
  'date +%z': '+0800\n',
  'readlink -f': '/usr/share/zoneinfo/Asia/Shanghai\n',
  'apt-config': "VALUE='1'\n",
  '/bin/sh -c conf=': 'UseDNS yes\n',
  'ls -1 /lib/modules': '3.10.0-1.el7.x86_64\n',
  'head -n 1 /proc/modules': 'overlay 151552 0 - Live 0x0\n',
  'grep -E': '/dev/sda1 / ext4 ro,relatime 0 0\ntmpfs /tmp tmpfs rw,noexec 0 0\n',
  '/bin/sh -c if command -v apt-get': 'E: Malformed entry 1 in list file /etc/apt/sources.list (Component)\n',
  '/bin/sh -c set --': '/etc/sysctl.d/zzz-site.conf:net.ipv4.ip_forward = 0\n',
  '/bin/sh -c for t in': '/opt/containerd\n/usr/bin/docker\n/usr/bin/unattended-upgrade\n',
  '/bin/sh -c programs=': 'docker-ce /usr/bin/docker\n',
  '/bin/sh -c ulimit -c': 'unlimited\n',
  '/bin/sh -c df -P': '/var/lib ftype=0\n',
  '/bin/sh -c d=systemd': 'generated dev-zram0.swap\n',
  '/bin/sh -c ours=': '',
  '/bin/sh -c p=/sys': '',
  '/bin/sh -c can_load': 'overlay\n',
  '/bin/sh -c ls -d': '',
  '/bin/sh -c tell': '4 0 fixed\n6 none\n',
};

const sickSpec = `  kubernetes: { virtualAddress: { address: 10.0.0.100, interface: bond0 } }
  checks: { projectQuota: true, measure: [bandwidth, disk] }
`;

async function sickFacts({ files = {}, commands = {} }: Sick): Promise<Facts> {
  const host = createFakeHost('n1', { files: { ...sickFiles, ...files } });
  const folder = host.files.get('/tmp');
  if (folder !== undefined) Object.assign(folder, { type: 'directory', mode: '755' });
  for (const [command, answer] of Object.entries({ ...sickCommands, ...commands })) host.on(command, answer);
  return parseFacts(await host.observe(Object.values(factQueries)), 1_900_000_000_000, 10);
}

/** cp1 and w1 are sick; w2 is well, so that there is something to differ from. */
async function sickCluster(given: Sick = {}): Promise<Cluster> {
  const cluster = testCluster({
    config: testConfig(given.spec ?? sickSpec, given.hosts),
    facts: { cp1: await sickFacts(given), w1: await sickFacts(given) },
  });
  const times = { startMs: 1_900_000_000_000, upMs: 1_900_000_000_100, endMs: 1_900_000_003_100 };
  const well: PeerReport = { ...missingReport(''), missing: undefined, ...times };
  const far = new Map([['w2', 250_000]]);
  cluster.peers = new Map([
    ['cp1', { ...well, silent: new Set(['w2 udp/8472']), slow: far, endpoint: 'timed out' }],
    ['w1', { ...well, silentLarge: new Set(['w2']), slow: far }],
    [
      'w2',
      {
        ...well,
        slow: new Map([
          ['cp1', 250_000],
          ['w1', 250_000],
        ]),
      },
    ],
  ]);
  cluster.probed = new Map([
    [
      'cp1',
      {
        fsyncMs: 42,
        disk: { iops: 90, megabytesPerSecond: 20 },
        bandwidth: { to: 'w1', mbits: 94 },
        neighbour: { line: '… REACHABLE', mac: '02:99:99:99:99:99', isSure: true },
      },
    ],
  ]);
  return cluster;
}

/** Each makes what the sick host cannot be at the same time. */
const variants: readonly Sick[] = [
  {},
  {
    spec: `  kubernetes: { controlPlaneEndpoint: 10.0.0.5 }
  hostSettings: { firewall: open }
`,
    files: { '/etc/os-release': 'ID=uos\n', '/sys/module/apparmor/parameters/enabled': 'Y\n', '/etc/resolv.conf': '' },
    hosts: `    - { name: cp1, address: 172.17.0.5, roles: [control-plane] }
    - { name: w1, address: 172.17.0.6, roles: [worker] }
    - { name: w2, address: 172.17.0.7, roles: [worker] }
`,
    commands: {
      'uname -n -r -m': 'n 6.8.0 aarch64\n',
      'id -u': '1000\n',
      'systemctl is-active': { stdout: 'inactive\n'.repeat(6) + 'active\ninactive\n' },
      'getent ahosts': { exitCode: 2, durationMs: 2500 },
      'ip -o addr show': '2: eth0 inet 172.17.0.5/16 scope global\n2: eth0 inet 172.17.0.6/16 scope global\n',
      'grep -E': '/dev/sda1 / ext4 rw,relatime 0 0\n',
    },
  },
  {
    spec: '  kubernetes: { virtualAddress: { address: 10.0.9.100 } }\n',
    files: { '/var/lib/installer/cluster.json': '{"clusterId":"c9","clusterName":"prod"}' },
    commands: {
      'uname -n -r -m': 'n 6.8.0 x86_64\n',
      'ip -o addr show': '2: eth0    inet 10.0.0.11/24 scope global eth0\n',
    },
  },
];

async function allFindings(): Promise<Finding[]> {
  const clusters = await Promise.all(variants.map(sickCluster));
  return clusters.flatMap((cluster) => runChecks(checks, cluster));
}

describe('the evidence of findings', () => {
  it('is there for every check, short, and one line', async () => {
    const findings = await allFindings();

    for (const { check, evidence } of findings) {
      expect(evidence, check).toMatch(/\S/);
      expect(evidence.length, check).toBeLessThanOrEqual(300);
      expect(evidence, check).not.toMatch(/[\n\t]|hunter22/);
    }
    const found = new Set(findings.map(({ check }) => check));
    expect(checks.map(({ id }) => id).filter((id) => !found.has(id))).toEqual([]);
  });

  it('is what the host said', async () => {
    const findings = runChecks(checks, await sickCluster());
    const lines = findings.filter(({ host }) => host === 'w1').map(({ check, evidence }) => `${check} <- ${evidence}`);

    expect(lines).toMatchInlineSnapshot(`
      [
        "same-cluster <- /var/lib/installer/cluster.json: {"clusterId":"c9","clusterName":"other"}",
        "leftovers <- find (paths of kubeadm, kubelet, etcd, pods and network plugins): /etc/kubernetes/pki/ca.crt",
        "architecture-supported <- uname -n -r -m: Node_1 3.10.0-1160.el7.x86_64 riscv64",
        "os-supported <- /etc/os-release: ID=plan9 | VERSION_ID="4"",
        "kernel-supported <- uname -n -r -m: Node_1 3.10.0-1160.el7.x86_64 riscv64",
        "systemd-running <- systemctl --version: systemd 219",
        "tools-present <- command -v: no path of tar, ip, ss, iptables, mount, nsenter, modprobe, sysctl, swapoff, flock, sha256sum, systemd-run, xargs, diff, timeout, curl or wget",
        "tools-present <- command -v: no path of conntrack, ethtool, socat, tc",
        "conflicting-packages <- command -v: /opt/containerd",
        "packages-installable <- dpkg --audit, apt-get --print-uris update, rpm -q: E: Malformed entry 1 in list file /etc/apt/sources.list (Component)",
        "kernel-not-upgraded <- uname -n -r -m: Node_1 3.10.0-1160.el7.x86_64 riscv64; ls -1 /lib/modules: 3.10.0-1.el7.x86_64",
        "kernel-modules <- /proc/filesystems, /proc/sys/net, modprobe -n: no overlay",
        "kernel-parameters-hold <- /etc/sysctl.conf, sysctl.d of /etc, /run, /usr/local/lib, /usr/lib: /etc/sysctl.d/zzz-site.conf:net.ipv4.ip_forward = 0",
        "ip-forward <- forwarding in /proc/sys/net: 4 0 fixed",
        "cpu <- nproc: 1",
        "memory <- /proc/meminfo: MemTotal: 524288 kB",
        "disk-free <- df -Pk / /opt /usr/local /var/lib /var/lib/containerd /var/lib/etcd /var/lib/kubelet: /dev/sda1 100 40 60 40% /",
        "disk-filesystem <- xfs_info: /var/lib ftype=0",
        "disk-quota <- /proc/self/mounts: /dev/sda1 / ext4 ro,relatime 0 0",
        "disk-iops <- dd oflag=direct: the host gave no answer to the measurement",
        "disk-throughput <- dd oflag=direct: the host gave no answer to the measurement",
        "file-systems-writable <- /proc/self/mounts: /dev/sda1 / ext4 ro,relatime 0 0",
        "file-systems-writable <- /proc/self/mounts: /dev/sda1 / ext4 ro,relatime 0 0",
        "file-systems-writable <- /proc/self/mounts: /dev/sda1 / ext4 ro,relatime 0 0",
        "tmp-usable <- stat /tmp: directory, mode 755",
        "tmp-usable <- /proc/self/mounts: tmpfs /tmp tmpfs rw,noexec 0 0",
        "cgroup-version <- stat -f -c %T /sys/fs/cgroup: tmpfs",
        "runtime-usable <- containerd --version: containerd github.com/containerd/containerd 1.7.1 abc; command -v: /opt/containerd",
        "swap-disabled <- /proc/swaps: /dev/sda2 partition 8388604 0 -2; systemctl show -p UnitFileState (units of swap): generated dev-zram0.swap",
        "selinux <- /sys/fs/selinux/enforce: 1; ls (policies of SELinux for containers): (empty)",
        "firewall <- /etc/ufw/ufw.conf: ENABLED=yes",
        "sshd-usedns <- grep UseDNS /etc/ssh/sshd_config: UseDNS yes",
        "cgroup-kmem <- uname -n -r -m: Node_1 3.10.0-1160.el7.x86_64 riscv64; /proc/cmdline: (no such line)",
        "core-dumps <- ulimit -c: unlimited",
        "default-tasks-max <- systemctl show -p DefaultTasksMax: DefaultTasksMax=512",
        "unattended-upgrades <- systemctl is-active: apt-daily-upgrade.timer active; apt-config shell VALUE APT::Periodic::Unattended-Upgrade: VALUE='1'",
        "hostname-valid <- uname -n -r -m: Node_1 3.10.0-1160.el7.x86_64 riscv64",
        "hosts-file <- /etc/hosts: 127.0.0.1 localhost | 127.0.0.2 localhost",
        "hosts-file <- /etc/hosts: 10.9.9.9 w2",
        "hostname-unique <- uname -n -r -m: Node_1 3.10.0-1160.el7.x86_64 riscv64",
        "machine-id-unique <- /etc/machine-id: 0123456789abcdef0123456789abcdef",
        "product-uuid-unique <- /sys/class/dmi/id/product_uuid: uuid-of-all",
        "address-valid <- ip -o addr show: 2: eth0 inet 10.96.0.5/24 brd 10.96.0.255 scope global eth0",
        "subnets-disjoint <- ip -o addr show: 2: eth0 inet 10.96.0.5/24 brd 10.96.0.255 scope global eth0",
        "subnets-disjoint <- ip -o route show: 10.244.1.0/24 dev eth0 scope link",
        "ports-free <- ss -Hlntup: tcp LISTEN 0 4096 *:10250 *:* users:(("nc",pid=15,fd=12))",
        "ports-open <- probe of the ports and the MTU between the hosts: it has neither systemd-socket-activate nor socat to listen with",
        "mtu-consistent <- probe of the ports and the MTU between the hosts: no large datagram from w2",
        "bandwidth <- dd to the next host by TCP: it has no bash",
        "default-route <- ip -o route show: 10.244.1.0/24 dev eth0 scope link",
        "resolv-conf <- /etc/resolv.conf: nameserver 127.0.0.53; /run/systemd/resolve/resolv.conf: (not there)",
        "resolver-answers <- getent ahosts installer-resolver-check.invalid.: (not known: no answer in time); /etc/resolv.conf: nameserver 127.0.0.53",
      ]
    `);
  });
});
