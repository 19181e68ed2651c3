import type { RemovalCommands } from '../../ops/record.ts';

/** A key that rpm trusts is a package in its database, too: all of one name, told apart by their versions. */
const list = `rpm -qa --qf '%{NAME} %{VERSION}-%{RELEASE}\\n' | sed -e 's/^gpg-pubkey /gpg-pubkey-/' -e 's/ .*//' -e 's/^/ii  /'`;

/** What dnf, yum and zypper have in common: the database of rpm. */
export const rpmRecord = {
  list: ['/bin/sh', '-c', list],
  // Names what would be left without something that it needs.
  tryRemoval: ['rpm', '-e', '--test'],
} as const;

const find = `for n in "$@"; do
rpm -q --qf 'ii  %{NAME} %|EPOCH?{%{EPOCH}:}|%{VERSION}-%{RELEASE}.%{ARCH}\\n' "$n" 2>/dev/null | while read -r s m v; do
if [ "$s $m" = "ii $n" ]; then printf 'ii  %s %s\\n' "$m" "$v"; fi; done
done; exit 0`;

/** rpm keeps a file of configuration that was edited under another name, and takes all others away. */
export const rpmRemoval: RemovalCommands = {
  find: ['/bin/sh', '-c', find, 'sh'],
  remove: ['rpm', '-e'],
  files: ['rpm', '-ql'],
  editedConfig: [
    '/bin/sh',
    '-c',
    `rpm -V --nodeps --noscripts "$1" | sed -n 's|^[S.?][M.?][5.?][^ ]*  *c  *\\(/.*\\)|\\1|p'; exit 0`,
    'sh',
  ],
  // Holds of dnf and zypper stand in files of theirs, which nobody touches.
  hold: ['true'],
  mend: ['true'],
};

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
