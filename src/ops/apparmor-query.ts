import { commandQuery } from './query.ts';

/** How many profiles of AppArmor the kernel has loaded; nothing where there is no AppArmor, or the account may not read them. */
export const apparmorProfilesQuery = commandQuery([
  '/bin/sh',
  '-c',
  'p=/sys/kernel/security/apparmor/profiles; if [ -r "$p" ]; then grep -c . "$p"; fi; exit 0',
]);

export function parseProfileCount(text: string): number | undefined {
  return /^\d+$/.test(text.trim()) ? Number(text.trim()) : undefined;
}
