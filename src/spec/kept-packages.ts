/** Packages that are never removed; `x-*`: and all whose names begin so. */
const kept: readonly string[] = [
  // The way to the host, and to root.
  ...['openssh', 'openssh-server', 'sudo', 'polkit', 'polkitd', 'pam', 'libpam-*'],
  ...['ifupdown', 'netplan.io', 'network-manager', 'NetworkManager', 'wicked', 'cloud-init'],
  // What starts it and what everything runs on.
  ...['systemd', 'systemd-*', 'udev', 'dbus', 'dbus-*', 'init', 'kernel', 'kernel-*', 'linux-image-*', 'linux-base'],
  ...['grub', 'grub-*', 'grub2', 'grub2-*', 'shim', 'shim-*', 'initramfs-tools', 'dracut'],
  ...['libc6', 'libc-bin', 'glibc', 'glibc-*', 'lvm2', 'mdadm', 'cryptsetup', 'device-mapper', 'multipath-tools'],
  ...['dpkg', 'apt', 'rpm', 'dnf', 'yum', 'zypper', 'bash', 'dash', 'coreutils', 'grep', 'sed', 'login', 'passwd'],
  // What the installer calls and would install again.
  ...['iproute', 'iproute2', 'iptables', 'iptables-nft', 'kmod', 'procps', 'procps-ng', 'findutils', 'diffutils'],
  ...['curl', 'bc', 'tar', 'mount', 'util-linux', 'util-linux-*'],
];

export function isKeptPackage(name: string): boolean {
  return kept.some((one) => (one.endsWith('*') ? name.startsWith(one.slice(0, -1)) : name === one));
}
