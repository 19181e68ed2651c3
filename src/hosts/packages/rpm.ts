/** A key that rpm trusts is a package in its database, too: all of one name, told apart by their versions. */
const list = `rpm -qa --qf '%{NAME} %{VERSION}-%{RELEASE}\\n' | sed -e 's/^gpg-pubkey /gpg-pubkey-/' -e 's/ .*//' -e 's/^/ii  /'`;

/** What dnf, yum and zypper have in common: the database of rpm. */
export const rpmRecord = {
  list: ['/bin/sh', '-c', list],
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
