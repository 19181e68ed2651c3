import type { Distro } from './distro.ts';

export const suse: Distro = {
  name: 'openSUSE and SLES',
  ids: ['opensuse', 'opensuse-leap', 'opensuse-tumbleweed', 'sles', 'suse'],
  packageManagers: ['zypper'],
  toolPackages: {
    conntrack: 'conntrack-tools',
    socat: 'socat',
    ebtables: 'ebtables',
    ipset: 'ipset',
    iptables: 'iptables',
    ethtool: 'ethtool',
    ip: 'iproute2',
    ss: 'iproute2',
    tc: 'iproute2',
    curl: 'curl',
    tar: 'tar',
    modprobe: 'kmod',
    sysctl: 'procps',
    xargs: 'findutils',
    diff: 'diffutils',
  },
  chrony: { package: 'chrony', unit: 'chronyd.service', config: '/etc/chrony.conf' },
  upgradeUnits: ['packagekit.service', 'transactional-update.timer'],
  quirks: ['MicroOS and other transactional releases have a read-only /usr: packages are not installed there.'],
};
