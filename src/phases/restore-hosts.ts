import type { HostPhase } from '../engine/phase.ts';
import { changes, noChanges, type Step } from '../engine/step.ts';
import { packageManagerOf } from '../kubernetes/host-distro.ts';
import { hostsOf, memberOf, type Cluster } from '../kubernetes/cluster.ts';
import type { Action } from '../ops/action.ts';
import { hostPaths } from '../ops/host-paths.ts';
import { fileQuery } from '../ops/query.ts';
import { customStep } from '../steps/edit-step.ts';
import { restoreSwapEntries } from '../ops/fstab.ts';
import { editHostsBlock } from '../steps/hosts-block.ts';
import { restoreStep, type PartlyOwnFile } from '../steps/restore-step.ts';
import { restoreSelinuxConfig, selinuxConfig } from '../steps/selinux-step.ts';

/** Puts back what the installer found on the hosts, as their records say, and takes its own state away. */
export const restoreHosts: HostPhase<Cluster> = {
  scope: 'host',
  id: 'restore-hosts',
  title: 'Put back what was there before',
  timeoutSeconds: 600,
  hosts: (cluster) => hostsOf(cluster.members),
  steps(host, cluster) {
    const member = memberOf(cluster, host);
    const manager = packageManagerOf(member);
    const restore = restoreStep('restore', {
      partlyOwn,
      // Without a package manager that is known nothing was ever installed.
      packages: manager?.record ?? { list: ['true'], tryRemoval: ['true'] },
      removePackages: (names): Action => ({
        kind: 'long',
        unit: 'installer-remove-packages',
        commands: [manager?.remove(names) ?? ['true']],
        timeoutSeconds: 500,
        env: manager?.env ?? {},
      }),
    });
    // The identity is the last to go: until then a run that was cut off goes on where it was.
    return member.facts.identity === undefined ? [restore] : [restore, stateStep()];
  },
};

const partlyOwn: readonly PartlyOwnFile[] = [
  { path: '/etc/hosts', undo: (now) => editHostsBlock(now, []) },
  { path: '/etc/fstab', undo: restoreSwapEntries },
  { path: selinuxConfig, undo: restoreSelinuxConfig },
];

/** What units were given and said. The lock and its generation stay until the next boot: another run may be waiting for them. */
const removeOutputs = [
  'find',
  hostPaths.run,
  '-mindepth',
  '1',
  '!',
  '-name',
  'lock',
  '!',
  '-name',
  'generation',
  '-delete',
];

function stateStep(): Step {
  const state = fileQuery(hostPaths.state, { content: false });
  return customStep('installer-state', [state], (seen) => {
    if (seen(state).state === 'absent') return noChanges;
    return changes({
      summary: `remove ${hostPaths.state}`,
      actions: [
        { kind: 'run', argv: removeOutputs, timeoutSeconds: 10 },
        { kind: 'remove', path: hostPaths.intent },
        { kind: 'remove', path: hostPaths.artifacts },
        { kind: 'remove', path: hostPaths.state },
      ],
    });
  });
}
