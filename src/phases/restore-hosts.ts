import type { HostPhase } from '../engine/phase.ts';
import { changes, noChanges, type Step } from '../engine/step.ts';
import { packageManagerOf } from '../kubernetes/host-distro.ts';
import { hostsOf, memberOf, type Cluster } from '../kubernetes/cluster.ts';
import type { Action } from '../ops/action.ts';
import { hostPaths } from '../ops/host-paths.ts';
import { fileQuery } from '../ops/query.ts';
import { removedPackagesEntryId } from '../ops/record.ts';
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

const removedPackages = `${hostPaths.before}/${removedPackagesEntryId}`;

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

/** All but the identity, which is the last to go, and what return-packages has to know. */
const removeRest = [
  ...['find', hostPaths.state, '-xdev', '-mindepth', '1'],
  ...[hostPaths.identity, hostPaths.before, removedPackages, `${removedPackages}/*`].flatMap((path) => [
    '!',
    '-path',
    path,
  ]),
  '-delete',
];

function stateStep(): Step {
  const identity = fileQuery(hostPaths.identity, { content: false });
  return customStep('installer-state', [identity], (seen) => {
    if (seen(identity).state === 'absent') return noChanges;
    return changes({
      summary: `remove ${hostPaths.state}`,
      actions: [
        { kind: 'run', argv: removeOutputs, timeoutSeconds: 10 },
        { kind: 'remove', path: hostPaths.intent },
        { kind: 'remove', path: hostPaths.artifacts },
        { kind: 'run', argv: removeRest, timeoutSeconds: 60 },
        { kind: 'remove', path: hostPaths.identity },
        // They stay where packages have to come back.
        { kind: 'run', argv: ['rmdir', hostPaths.before, hostPaths.state], timeoutSeconds: 10, okExitCodes: [0, 1] },
      ],
    });
  });
}
