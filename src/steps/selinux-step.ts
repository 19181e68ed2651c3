import { blocked, changes, noChanges, type Change, type Step } from '../engine/step.ts';
import { fileQuery } from '../ops/query.ts';
import { customStep } from './edit-step.ts';

export const selinuxConfig = '/etc/selinux/config';
const enforceFile = '/sys/fs/selinux/enforce';

/** Sets the mode for the next boot in an selinux(8) config; a file without the setting gets it. */
export function setSelinuxMode(content: string, mode: string): string {
  if (/^SELINUX=.*$/m.test(content)) return content.replace(/^SELINUX=.*$/m, `SELINUX=${mode}`);
  return `${content}${content === '' || content.endsWith('\n') ? '' : '\n'}SELINUX=${mode}\n`;
}

/** Sets the mode that stood there before the first run. */
export function restoreSelinuxConfig(now: string, before: string): string {
  const mode = /^SELINUX=(.*)$/m.exec(before)?.[1];
  return mode === undefined ? now.replace(/^SELINUX=.*\n?/m, '') : setSelinuxMode(now, mode);
}

/** SELinux no longer enforces, now and after a reboot. It is switched off altogether by the next reboot only. */
export function selinuxStep(id: string, mode: 'permissive' | 'disabled'): Step {
  const config = fileQuery(selinuxConfig);
  const enforce = fileQuery(enforceFile);
  return customStep(id, [config, enforce], (seen) => {
    const configSeen = seen(config);
    const running = seen(enforce);
    if (configSeen.state === 'unknown')
      return blocked(
        'FILE_UNREADABLE',
        `cannot read ${selinuxConfig}: ${configSeen.reason}`,
        'see whether the file system is healthy',
      );
    const list: Change[] = [];
    if (running.state === 'present' && running.value.content?.trim() === '1')
      list.push({
        summary: 'SELinux becomes permissive',
        actions: [{ kind: 'kernel-values', values: [{ path: enforceFile, value: '0' }], record: true }],
      });
    // Without the file there is no SELinux.
    if (configSeen.state === 'present') {
      const before = configSeen.value.content ?? '';
      const now = /^SELINUX=(.*)$/m.exec(before)?.[1]?.trim();
      const isEnough = now === 'disabled' || now === mode;
      if (!isEnough)
        list.push({
          summary: `SELinux is ${mode} from the next boot on`,
          before,
          after: setSelinuxMode(before, mode),
          actions: [
            {
              kind: 'write-file',
              path: selinuxConfig,
              content: setSelinuxMode(before, mode),
              mode: configSeen.value.mode,
              keepOwner: true,
              record: {},
            },
          ],
        });
    }
    return list.length === 0 ? noChanges : changes(...list);
  });
}
