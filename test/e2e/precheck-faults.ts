import {
  fillDisk,
  must,
  removeDefaultRoute,
  simulateClockSkew,
  simulateSwap,
  stopSshd,
  type Undo,
} from '../lab/faults/index.ts';
import type { LabHost } from '../lab/host.ts';
import { occupyPort } from './stage.ts';

/** Name, cause, exit code of a precheck, and how its findings on the host begin. */
export type HostFault = [string, (host: LabHost) => Promise<Undo>, number, string[]];

/** Breaks something by one command and mends it by another. */
export function broken(breaking: string, mending: string): (host: LabHost) => Promise<Undo> {
  return async (host: LabHost): Promise<Undo> => {
    await must(host, breaking);
    return async () => {
      await must(host, mending);
    };
  };
}

/** Puts another file in the place of one, and the old one back. */
export function changed(path: string, breaking: string): (host: LabHost) => Promise<Undo> {
  return broken(`cp -a ${path} /root/kept && ${breaking}`, `cat /root/kept >${path} && rm /root/kept`);
}

/** Drops what comes in on a host, by a rule of nftables. */
export function dropped(rule: string): (host: LabHost) => Promise<Undo> {
  const table = 'add table inet fault; add chain inet fault in { type filter hook input priority 0; }';
  return broken(`nft '${table}; add rule inet fault in ${rule}'`, 'nft delete table inet fault');
}

/**
 * Gives a host the product_uuid of a machine that was copied. The machine of a lab may have no DMI: where it has none, classes of sysfs
 * are links, and a folder with the same links and one more class takes their place.
 */
export function productUuid(uuid: string): (host: LabHost) => Promise<Undo> {
  const folder = '/run/class';
  const breaking = [
    `mkdir ${folder}`,
    'cd /sys/class',
    `find . -type d | (cd ${folder} && xargs mkdir -p)`,
    `find . -type l | xargs cp -P --parents -t ${folder}`,
    `rm -rf ${folder}/dmi`,
    `mkdir -p ${folder}/dmi/id`,
    `echo ${uuid} >${folder}/dmi/id/product_uuid`,
    `mount --bind ${folder} /sys/class`,
  ];
  return broken(breaking.join(' && '), `umount /sys/class && rm -r ${folder}`);
}

/**
 * Gives a host a second network with the MAC address, and a way to that of `peer`: its number is the last one of the name. On one
 * segment two hosts with one MAC address would not hear each other at all.
 */
export function secondNetwork(mac: string, peer: LabHost): (host: LabHost) => Promise<Undo> {
  return (host) =>
    broken(
      [
        `ip link add same0 address ${mac} type veth peer name same1`,
        'ip link set same0 up',
        'ip link set same1 up',
        `ip address add ${addressOfSecondNetwork(host.name)}/32 dev same0`,
        `ip route add ${addressOfSecondNetwork(peer.name)}/32 via ${peer.address} src ${addressOfSecondNetwork(host.name)}`,
      ].join(' && '),
      `ip route del ${addressOfSecondNetwork(peer.name)}/32; ip link del same0`,
    )(host);
}

export function addressOfSecondNetwork(name: string): string {
  return `10.66.0.${name.at(-1) ?? ''}`;
}

/** Faults of one host, each with all that a precheck finds then. */
export const hostFaults: readonly HostFault[] = [
  [
    'another time zone',
    broken('ln -sf /usr/share/zoneinfo/Asia/Tokyo /etc/localtime', 'ln -sf /usr/share/zoneinfo/Etc/UTC /etc/localtime'),
    0,
    ['timezone-consistent warning: Asia/Tokyo, and 2 hosts have UTC'],
  ],
  [
    'a name with two addresses',
    changed('/etc/hosts', 'printf "10.0.0.8 db\\n10.0.0.9 db\\n" >>/etc/hosts'),
    0,
    ['hosts-file warning: db is 10.0.0.8 and 10.0.0.9'],
  ],
  [
    'an old address of another host',
    changed('/etc/hosts', 'echo 10.7.7.7 node1 >>/etc/hosts'),
    0,
    ['hosts-file warning: node1 is 10.7.7.7, its node address is '],
  ],
  [
    'a nameserver on loopback',
    changed('/etc/resolv.conf', 'sed -i "1i nameserver 127.0.0.53" /etc/resolv.conf'),
    0,
    ['resolv-conf warning: 127.0.0.53 in /etc/resolv.conf'],
  ],
  [
    'a resolver that never answers',
    changed('/etc/resolv.conf', 'echo nameserver 192.0.2.1 >/etc/resolv.conf'),
    3,
    ['resolver-answers error: no answer within 6 s from 192.0.2.1'],
  ],
  [
    'a read-only /etc',
    broken('mount --bind /etc /etc && mount -o remount,bind,ro /etc', 'umount -l /etc'),
    3,
    ['file-systems-writable error: /etc is read-only'],
  ],
  [
    'a /tmp that starts nothing',
    broken('mount -o remount,noexec /tmp', 'mount -o remount,exec /tmp'),
    0,
    ['tmp-usable warning: mounted noexec'],
  ],
  ['a private /tmp', broken('chmod 700 /tmp', 'chmod 1777 /tmp'), 3, ['tmp-usable error: mode 700']],
  [
    'a route into the pod subnet',
    broken('ip route add 10.244.5.0/24 dev host0', 'ip route del 10.244.5.0/24'),
    3,
    ['subnets-disjoint error: the route 10.244.5.0/24 (host0) leads into the pod subnet'],
  ],
  [
    'an address in the service subnet',
    broken('ip addr add 10.100.0.1/32 dev lo', 'ip addr del 10.100.0.1/32 dev lo'),
    3,
    ['subnets-disjoint error: 10.100.0.1 (lo) lies in the service subnet'],
  ],
  ['no default route', removeDefaultRoute, 3, ['default-route error: ']],
  [
    'an odd hostname',
    broken('echo Bad_Name >/proc/sys/kernel/hostname', 'echo node2 >/proc/sys/kernel/hostname'),
    3,
    ['hostname-valid error: Bad_Name'],
  ],
  [
    'the hostname of another host',
    broken('echo node1 >/proc/sys/kernel/hostname', 'echo node2 >/proc/sys/kernel/hostname'),
    3,
    ['hostname-unique error: hostname node1 is that of node1 too'],
  ],
  [
    'a port that is taken',
    (host: LabHost): Promise<Undo> => occupyPort(host, 10250),
    3,
    ['ports-free error: port 10250 is held by '],
  ],
  [
    'what another cluster left',
    broken('mkdir /etc/kubernetes && touch /etc/kubernetes/admin.conf', 'rm -r /etc/kubernetes'),
    3,
    ['leftovers error: /etc/kubernetes/admin.conf'],
  ],
  [
    'the identity of another cluster',
    broken(
      'mkdir -p /var/lib/installer && echo \'{"clusterId":"c9","clusterName":"other"}\' >/var/lib/installer/cluster.json',
      'rm -r /var/lib/installer',
    ),
    3,
    ['same-cluster error: cluster other (c9)'],
  ],
  [
    'a tool that is missing',
    broken('mv /usr/sbin/swapoff /root/', 'mv /root/swapoff /usr/sbin/'),
    3,
    ['tools-present error: missing: swapoff'],
  ],
  ['swap', simulateSwap, 0, ['swap-disabled info: ']],
  [
    'a clock that is ahead',
    (host: LabHost): Promise<Undo> => simulateClockSkew(host, { seconds: 60 }),
    3,
    ['clock-in-sync error: '],
  ],
  [
    'a full disk',
    (host: LabHost): Promise<Undo> => fillDisk(host, { path: '/var/lib', sizeMiB: 64, freeMiB: 8 }),
    3,
    ['disk-free error: 0.0 GiB free on /var/lib'],
  ],
  [
    'a full disk of its own below /opt',
    (host: LabHost): Promise<Undo> => fillDisk(host, { path: '/opt', sizeMiB: 64, freeMiB: 8 }),
    3,
    ['disk-free error: 0.0 GiB free on /opt'],
  ],
  [
    'swap of the next boot',
    changed('/etc/fstab', 'echo /old.img none swap sw 0 0 >>/etc/fstab'),
    0,
    ['swap-disabled info: /old.img in /etc/fstab'],
  ],
  [
    'a firewall before VXLAN',
    dropped('udp dport 8472 drop'),
    3,
    ['ports-open error: 8472/udp (flannel) cannot be reached from node1, node3'],
  ],
  [
    'a firewall before the kubelet',
    dropped('tcp dport 10250 drop'),
    3,
    ['ports-open error: 10250/tcp (kubelet) cannot be reached from node1, node3'],
  ],
  [
    'a firewall that refuses',
    dropped('tcp dport 10250 reject with tcp reset'),
    3,
    ['ports-open error: 10250/tcp (kubelet) cannot be reached from node1, node3'],
  ],
  [
    'an interface with another MTU',
    broken('ip link set host0 mtu 1300', 'ip link set host0 mtu 1500'),
    3,
    ['mtu-consistent error: packets of 1500 bytes from node1, node3 are lost; the MTU here is 1300'],
  ],
  [
    'a runc from elsewhere',
    broken('printf "#!/bin/sh\\n" >/usr/local/bin/runc && chmod 755 /usr/local/bin/runc', 'rm /usr/local/bin/runc'),
    3,
    ['conflicting-packages error: runc is at /usr/local/bin/runc'],
  ],
  [
    'an sshd that looks up names',
    broken('echo UseDNS yes >/etc/ssh/sshd_config.d/dns.conf', 'rm /etc/ssh/sshd_config.d/dns.conf'),
    0,
    ['sshd-usedns warning: UseDNS yes'],
  ],
  [
    'a list of repositories that apt cannot read',
    broken('echo deb nowhere >/etc/apt/sources.list.d/bad.list', 'rm /etc/apt/sources.list.d/bad.list'),
    0,
    ['packages-installable warning: E: Malformed entry 1 in list file /etc/apt/sources.list.d/bad.list'],
  ],
  [
    'an installation that was cut off',
    broken('touch /var/lib/dpkg/updates/0001', 'rm /var/lib/dpkg/updates/0001'),
    0,
    ['packages-installable warning: dpkg was interrupted'],
  ],
  [
    'a kernel parameter that a later file of a package undoes',
    broken('echo net.ipv4.ip_forward=0 >/usr/lib/sysctl.d/zzz-site.conf', 'rm /usr/lib/sysctl.d/zzz-site.conf'),
    3,
    ['kernel-parameters-hold error: Kubernetes needs net.ipv4.ip_forward = 1, but /usr/lib/sysctl.d/zzz-site.conf'],
  ],
  ['an SSH server that is off', stopSshd, 3, ['SSH_REFUSED']],
];
