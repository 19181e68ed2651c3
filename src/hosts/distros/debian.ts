import type { Distro } from './distro.ts';

const base = {
  packageManagers: ['apt-get'],
  toolPackages: {
    conntrack: 'conntrack',
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
  chrony: { package: 'chrony', unit: 'chrony.service', config: '/etc/chrony/chrony.conf' },
  upgradeUnits: ['apt-daily-upgrade.timer', 'apt-daily.timer', 'unattended-upgrades.service'],
} as const;

export const debian: Distro = { ...base, name: 'Debian', ids: ['debian'], quirks: [] };

export const ubuntu: Distro = {
  ...base,
  name: 'Ubuntu',
  ids: ['ubuntu'],
  quirks: ['Unattended upgrades of the kernel reboot hosts; unattendedUpgrades: disable stops them.'],
};

/** Editions A and E are made of rpm packages, D and the desktop of deb packages: what is on the host decides. */
export const uos: Distro = {
  ...base,
  name: 'UOS',
  ids: ['uos', 'deepin'],
  packageManagers: ['dnf', 'yum', 'apt-get'],
  quirks: ['AppArmor must be off with containerd 1.6.4 and later; apparmor: disable does it.'],
};
