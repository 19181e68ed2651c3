import { blocked, changes, noChanges, type Step } from '../engine/step.ts';
import { apparmorProfilesQuery, parseProfileCount } from '../ops/apparmor-query.ts';
import { customStep } from './edit-step.ts';

/**
 * aa-teardown is AppArmor's own way, where its tools are there; the file of the kernel does the same by name of a profile, and takes
 * what is nested in one along.
 */
const unload = `if command -v aa-teardown >/dev/null; then aa-teardown >/dev/null; exit; fi
k=/sys/kernel/security/apparmor
sed 's/ ([a-z]*)$//' "$k/profiles" | while IFS= read -r p; do printf '%s' "$p" >"$k/.remove" 2>/dev/null || :; done`;

/** Takes the profiles out of the kernel. The service loads them again when it starts. */
export function unloadProfilesStep(id: string): Step {
  return customStep(id, [apparmorProfilesQuery], (seen) => {
    const answer = seen(apparmorProfilesQuery);
    if (answer.state === 'unknown')
      return blocked(
        'FILE_UNREADABLE',
        `cannot read the profiles of AppArmor: ${answer.reason}`,
        'see whether /sys/kernel/security is mounted on the host',
      );
    const count = answer.state === 'present' ? (parseProfileCount(answer.value.stdout) ?? 0) : 0;
    if (count === 0) return noChanges;
    return changes({
      summary: `unload ${count} profile${count === 1 ? '' : 's'} of AppArmor`,
      disruptive: true,
      actions: [{ kind: 'run', argv: ['/bin/sh', '-c', unload], timeoutSeconds: 60 }],
    });
  });
}
