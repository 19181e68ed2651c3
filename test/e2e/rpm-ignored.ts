import type { Ignored } from './support.ts';

/** What package managers of the rpm family write whenever they are asked. */
export const packageStates: readonly Ignored[] = [
  { path: /^\/var\/lib\/(rpm|dnf)\//, reason: 'databases of rpm and dnf, also when they are only asked' },
  { path: /^\/var\/(cache\/dnf|log\/(dnf|hawkey))/, reason: 'what dnf fetched, and its logs' },
  {
    path: /^\/var\/(cache\/zypp|lib\/zypp|lib\/YaST2|log\/zypp)/,
    reason: 'what zypper fetched, an identity that it makes for itself, and its logs',
  },
];

/** The lab's packages own their files and not the folders: rpm leaves those. */
export const unownedFolders: readonly Ignored[] = [
  {
    path: /^\/(etc\/(network|insserv\.conf\.d|request-key\.d)|usr\/share\/(bug\/nfs-[a-z]+|nfs-common|iptables)|usr\/lib\/[^/]+\/(xtables|libnfsidmap)|var\/lib\/nfs)(\/|$)/,
    reason: 'folders and leftovers of scripts that no package of the lab owns',
  },
  {
    path: /^\/(etc\/(dhcp|chrony|ppp|apparmor\.d)|usr\/(share|libexec)\/chrony|usr\/lib\/(NetworkManager|systemd\/ntp-units\.d|networkd-dispatcher))(\/[a-z.-]+\.d)?$/,
    reason: 'folders of chrony, which Debian makes for other programs, too',
  },
];

export const accounts: readonly Ignored[] = [
  { path: /^\/etc\/(passwd|shadow|group|gshadow|subuid|subgid)-?$/, reason: 'the account of chrony: rpm removes none' },
];
