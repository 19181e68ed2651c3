import type { Distro } from './distro.ts';

/**
 * Tools whose package has another name from release to release are asked for by the file: dnf and yum find the package of it
 * (ebtables: ebtables, iptables-ebtables, iptables-nft; tc: iproute, iproute-tc).
 */
const base = {
  packageManagers: ['dnf', 'yum'],
  toolPackages: {
    conntrack: 'conntrack-tools',
    socat: 'socat',
    ebtables: '/usr/sbin/ebtables',
    ipset: 'ipset',
    iptables: 'iptables',
    ethtool: 'ethtool',
    ip: 'iproute',
    ss: 'iproute',
    tc: '/usr/sbin/tc',
    curl: 'curl',
    tar: 'tar',
    modprobe: 'kmod',
    sysctl: 'procps-ng',
    xargs: 'findutils',
    diff: 'diffutils',
  },
  chrony: { package: 'chrony', unit: 'chronyd.service', config: '/etc/chrony.conf' },
  upgradeUnits: ['dnf-automatic.timer', 'dnf-automatic-install.timer', 'dnf5-automatic.timer', 'yum-cron.service'],
  quirks: [],
} as const;

const kernel310 = 'Release 7 needs cgroup.memory=nokmem on the kernel command line (kernel 3.10 leaks slab memory).';

export const rhel: Distro = {
  ...base,
  name: 'RHEL',
  ids: ['rhel'],
  releases: ['7', '8', '9', '10'],
  quirks: [kernel310],
};
export const centos: Distro = {
  ...base,
  name: 'CentOS',
  ids: ['centos'],
  releases: ['7', '8', '9', '10'],
  quirks: [kernel310],
};
export const rocky: Distro = { ...base, name: 'Rocky Linux', ids: ['rocky'], releases: ['8', '9', '10'] };
export const alma: Distro = { ...base, name: 'AlmaLinux', ids: ['almalinux'], releases: ['8', '9', '10'] };
export const oracle: Distro = { ...base, name: 'Oracle Linux', ids: ['ol'], releases: ['7', '8', '9', '10'] };
export const anolis: Distro = { ...base, name: 'Anolis OS', ids: ['anolis'], releases: ['7', '8', '23'] };
export const tencent: Distro = {
  ...base,
  name: 'TencentOS',
  ids: ['tencentos', 'tlinux', 'opencloudos'],
  releases: ['2', '3', '4', '8', '9'],
};
export const fedora: Distro = { ...base, name: 'Fedora', ids: ['fedora'], releases: ['35', '36'] };

export const amazon: Distro = {
  ...base,
  name: 'Amazon Linux',
  ids: ['amzn'],
  releases: ['2', '2023'],
  // Its curl-minimal, which is always there, clashes with curl.
  toolPackages: { ...base.toolPackages, curl: '/usr/bin/curl' },
  quirks: ['Release 2 has yum only, and kernel 4.14 or 5.10.'],
};

export const openEuler: Distro = {
  ...base,
  name: 'openEuler',
  ids: ['openeuler'],
  releases: ['20.03', '22.03', '24.03'],
  toolPackages: { ...base.toolPackages, bc: 'bc' },
  moreTools: ['bc'],
  quirks: ['bc is missing in the minimal installation.'],
};

export const kylin: Distro = {
  ...base,
  name: 'Kylin',
  ids: ['kylin', 'neokylin'],
  releases: ['V10', 'V11'],
  packageManagers: ['dnf', 'yum', 'apt-get'],
  quirks: ['It ships a runc that clashes with the one of the installer; removePackages takes its package away.'],
};
