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

export const debian: Distro = {
  ...base,
  name: 'Debian',
  ids: ['debian'],
  releases: ['10', '11', '12', '13'],
  quirks: [],
};

export const ubuntu: Distro = {
  ...base,
  name: 'Ubuntu',
  ids: ['ubuntu'],
  releases: ['18.04', '20.04', '22.04', '24.04'],
  quirks: ['Unattended upgrades of the kernel reboot hosts; unattendedUpgrades: disable stops them.'],
};

/** Editions A and E are made of rpm packages, D and the desktop of deb packages: what is on the host decides. */
export const uos: Distro = {
  ...base,
  name: 'UOS',
  ids: ['uos', 'deepin'],
  releases: ['20', '23', '25'],
  packageManagers: ['dnf', 'yum', 'apt-get'],
  quirks: [
    'AppArmor must be off with containerd 1.6.4 and later; apparmor: disable does what can be done without a reboot, apparmor=0 on the kernel command line is yours.',
  ],
};
