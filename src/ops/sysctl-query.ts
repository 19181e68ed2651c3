import { commandQuery } from './query.ts';

/** Kernel parameters in the files of a host that are read at boot: lines `FILE:key = value`. */
export const sysctlFilesQuery = commandQuery([
  '/bin/sh',
  '-c',
  'grep -Hs "^[^#;]*=" /etc/sysctl.conf /etc/sysctl.d/*.conf; exit 0',
]);
