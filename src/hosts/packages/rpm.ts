/** What dnf, yum and zypper have in common: the database of rpm. */
export const rpmRecord = {
  list: ['rpm', '-qa', '--qf', 'ii  %{NAME}\\n'],
  // Names what would be left without something that it needs.
  tryRemoval: ['rpm', '-e', '--test'],
} as const;

/** Names with a status before them, as dpkg prints them; by what a package provides, so that `iptables` is found in iptables-nft. */
export function findInstalledRpms(names: readonly string[]): readonly string[] {
  return [
    '/bin/sh',
    '-c',
    'for n in "$@"; do if rpm -q --whatprovides "$n" >/dev/null 2>&1; then echo "ii  $n"; fi; done; exit 0',
    'sh',
    ...names,
  ];
}
