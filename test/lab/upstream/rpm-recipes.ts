/** An rpm package that is made of files of a Debian package. */
export interface RpmRecipe {
  /** The package's name in rpm distributions. */
  readonly name: string;
  /** Further names it answers to. */
  readonly provides?: readonly string[];
  /** What it asks for besides the libraries that its programs are linked with. */
  readonly requires?: readonly string[];
  /** Shell lines that lay files out as rpm distributions do; the working directory is the host's root. */
  readonly adjust?: readonly string[];
  /** System user that the package makes. */
  readonly user?: string;
}

/** Debian packages that hosts of the rpm family may be asked to install; the libraries they need come along. */
export const rpmSources: readonly string[] = [
  ...['chrony', 'conntrack', 'ethtool', 'haproxy', 'ipset', 'iptables', 'jq', 'keepalived', 'logrotate'],
  ...['nfs-common', 'nftables', 'psmisc', 'rsync', 'socat', 'xfsprogs'],
];

const iptablesNames = [
  ...['iptables', 'iptables-save', 'iptables-restore', 'ip6tables', 'ip6tables-save', 'ip6tables-restore'],
  ...['ebtables', 'arptables'],
];

/** Where a Debian package is another one in rpm distributions; what is not named here keeps its name. */
export const rpmRecipes: Readonly<Record<string, RpmRecipe>> = {
  chrony: {
    name: 'chrony',
    user: '_chrony',
    adjust: [
      'cp usr/share/chrony/chrony.conf etc/chrony.conf',
      'mv usr/lib/systemd/system/chrony.service usr/lib/systemd/system/chronyd.service',
      // Debian's starter script is told nothing of the other place of the file.
      "sed -i -e 's|^ExecStart=.*|ExecStart=/usr/sbin/chronyd -f /etc/chrony.conf|' -e '/^Alias=/d' -e '/^EnvironmentFile=/d' usr/lib/systemd/system/chronyd.service",
    ],
  },
  conntrack: { name: 'conntrack-tools' },
  haproxy: { name: 'haproxy', user: 'haproxy' },
  iptables: {
    name: 'iptables-nft',
    provides: ['iptables', 'ebtables', 'arptables'],
    // Debian makes these names in a script of the package.
    adjust: iptablesNames.map((name) => `ln -sf xtables-nft-multi usr/sbin/${name}`),
  },
  libipset13: { name: 'ipset-libs' },
  libmnl0: { name: 'libmnl' },
  'libnetfilter-conntrack3': { name: 'libnetfilter_conntrack' },
  libnfnetlink0: { name: 'libnfnetlink' },
  libnftnl11: { name: 'libnftnl' },
  libxtables12: { name: 'iptables-libs' },
  'nfs-common': { name: 'nfs-utils', requires: ['rpcbind'] },
};

/**
 * What an rpm distribution has from the start. Debian's files do the work on the host; the packages have no files and say
 * in rpm's own database that they are there.
 */
export const basePackages: readonly RpmRecipe[] = [
  { name: 'bash', provides: ['/bin/bash', '/bin/sh', '/usr/bin/bash', '/usr/bin/sh'] },
  { name: 'coreutils', provides: ['/usr/bin/env'] },
  { name: 'perl-interpreter', provides: ['/usr/bin/perl', 'perl'] },
  { name: 'python3', provides: ['/usr/bin/python3'] },
  ...['ca-certificates', 'curl', 'dbus', 'diffutils', 'dnf', 'findutils', 'grep', 'gzip', 'iproute', 'iproute-tc'],
  ...['iputils', 'kmod', 'openssh-server', 'procps-ng', 'rpm', 'sed', 'shadow-utils', 'sudo', 'systemd', 'tar'],
  ...['util-linux', 'xz'],
].map((item) => (typeof item === 'string' ? { name: item } : item));

/** Name and release that hosts of the rpm family show. */
export const rpmSystem = { id: 'rocky', version: '9.6', major: '9' } as const;

export const osRelease = `NAME="Rocky Linux"
VERSION="${rpmSystem.version} (installer lab)"
ID="${rpmSystem.id}"
ID_LIKE="rhel centos fedora"
VERSION_ID="${rpmSystem.version}"
PLATFORM_ID="platform:el${rpmSystem.major}"
PRETTY_NAME="Rocky Linux ${rpmSystem.version} (installer lab: dnf and rpm on Debian's programs)"
`;
