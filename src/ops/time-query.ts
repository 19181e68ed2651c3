import { commandQuery } from './query.ts';

/** Where the installer writes time servers: chrony.conf of Debian and of the others, and a drop-in of systemd-timesyncd. */
export const timeServersFiles = {
  chronyDebian: '/etc/chrony/chrony.conf',
  chrony: '/etc/chrony.conf',
  timesyncd: '/etc/systemd/timesyncd.conf.d/90-installer.conf',
} as const;

/** How these files begin where they are the installer's. */
export const timeServersHead =
  '# Written by the installer; installer reset and restore-host put back what was here before.\n';

/** Time servers in files of the installer, a line each; nothing where the host's own files are in force. */
export const ownTimeServersQuery = commandQuery([
  '/bin/sh',
  '-c',
  `ours='${timeServersHead.trim()}'
for f in "$@"; do
if [ -r "$f" ] && read -r l <"$f" && [ "$l" = "$ours" ]; then
sed -n 's/^server \\([^ ]*\\) iburst$/\\1/p; s/^NTP=//p' "$f" | tr ' ' '\\n'; fi
done; exit 0`,
  'sh',
  ...Object.values(timeServersFiles),
]);
