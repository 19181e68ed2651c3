import type { Distro } from './distro.ts';

export const suse: Distro = {
  name: 'openSUSE and SLES',
  ids: ['opensuse', 'opensuse-leap', 'sles', 'suse'],
  releases: ['15', '16'],
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
  quirks: [],
};

/** Releases have dates. */
export const tumbleweed: Distro = { ...suse, name: 'openSUSE Tumbleweed', ids: ['opensuse-tumbleweed'], releases: [] };

export const micro: Distro = {
  ...suse,
  name: 'openSUSE MicroOS, Leap Micro and SLE Micro',
  ids: ['opensuse-microos', 'opensuse-leap-micro', 'sl-micro', 'sle-micro'],
  releases: [],
  quirks: ['/usr is read-only: packages are not installed there, and what is missing has to come with the image.'],
};

/** It has no package manager, and its tools are enough. */
export const flatcar: Distro = {
  ...suse,
  name: 'Flatcar Container Linux',
  ids: ['flatcar'],
  releases: [],
  packageManagers: [],
  toolPackages: {},
  upgradeUnits: ['update-engine.service', 'locksmithd.service'],
  quirks: [
    '/usr is read-only and there is no package manager; update-engine and locksmithd replace the system and reboot.',
  ],
};
