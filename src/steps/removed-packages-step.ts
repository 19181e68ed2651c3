import { blocked, changes, noChanges, type Change, type Step } from '../engine/step.ts';
import { parseRemoval, refuseRemovals, removalQuery, type PackageManager } from '../hosts/packages/index.ts';
import type { Action, LongAction } from '../ops/action.ts';
import { hostPaths } from '../ops/host-paths.ts';
import type { RecordQuery } from '../ops/query.ts';
import type { RemovedPackage } from '../ops/record.ts';
import { customStep } from './edit-step.ts';
import { sha256 } from './file-step.ts';
import { recordUnreadable } from './restore-step.ts';

export interface RemovePackagesInput {
  readonly id: string;
  readonly manager: PackageManager;
  readonly clusterId: string;
  readonly names: readonly string[];
}

/** Removes packages that are there by these names, and nothing besides: where something needs one of them, it is an error that names it. */
export function removePackagesStep({ id, manager, clusterId, names }: RemovePackagesInput): Step {
  const query = removalQuery(manager, names);
  return customStep(id, [query], (seen) => {
    const answer = seen(query);
    if (answer.state !== 'present' || answer.value.exitCode !== 0)
      return blocked(
        'PACKAGES_UNKNOWN',
        `cannot see what is installed${answer.state === 'unknown' ? `: ${answer.reason}` : ''}`,
        'see whether the package manager of the host works, then run again',
      );
    const { there, objections } = parseRemoval(answer.value);
    if (there.length === 0) return noChanges;
    const list = there.map(({ name }) => name);
    if (objections.length > 0)
      return blocked(
        'PACKAGE_NEEDED',
        `${list.join(', ')} cannot be removed: ${objections.join('; ')}`,
        'name what needs it in spec.hostSettings.removePackages, too, or take it out there',
      );
    return changes({
      summary: `remove packages ${list.join(', ')}`,
      before: there.map(describe).join('\n'),
      after: '',
      disruptive: true,
      actions: [removeAction(manager, clusterId, list)],
    });
  });
}

function describe({ name, version }: RemovedPackage): string {
  return `${name} ${version}`;
}

/** As a transient unit, like an installation. */
function removeAction(manager: PackageManager, clusterId: string, names: readonly string[]): LongAction {
  const remove = [...manager.removal.remove, ...names];
  return {
    kind: 'long',
    unit: `installer-${clusterId}-packages-${sha256(remove.join(' ')).slice(0, 8)}`,
    commands: [remove],
    timeoutSeconds: 300,
    env: manager.env,
    removesPackages: { names, commands: manager.record, removal: manager.removal },
  };
}

/** Puts back from the host's own repositories what its record says was removed. What somebody else brought back meanwhile is left. */
export function returnPackagesStep(id: string, manager: PackageManager): Step {
  const record: RecordQuery = { kind: 'record', packages: manager.record };
  return customStep(id, [record], (seen) => {
    const answer = seen(record);
    if (answer.state === 'absent') return noChanges;
    if (answer.state === 'unknown') return recordUnreadable(answer.reason);
    const entry = answer.value.entries.find((one) => one.kind === 'removed-packages');
    if (entry === undefined) return noChanges;
    const end: readonly Action[] = [{ kind: 'forget', entry: entry.id }, ...removeEmptyState];
    const gone = entry.packages.filter(({ isThere, isReturning }) => !isThere || isReturning);
    const left = entry.packages.filter((one) => !gone.includes(one)).map(({ name }) => name);
    const list: Change[] = [
      ...(left.length === 0 ? [] : [{ summary: `packages ${left.join(', ')} are there already`, actions: [] }]),
      ...(gone.length === 0
        ? []
        : [
            {
              summary: `put packages back: ${gone.map(describe).join(', ')}`,
              disruptive: true,
              actions: [returnAction(manager, gone)],
            },
          ]),
    ];
    const last = list.pop() ?? { summary: 'no package was removed', actions: [] };
    return changes(...list, { ...last, actions: [...last.actions, ...end] });
  });
}

const returnUnit = 'installer-return-packages';

/** What the unit left, and folders that may be empty now. */
const removeEmptyState: readonly Action[] = [
  { kind: 'remove', path: `${hostPaths.run}/${returnUnit}.sh` },
  { kind: 'remove', path: `${hostPaths.run}/${returnUnit}.log` },
  {
    kind: 'run',
    argv: ['rmdir', '--ignore-fail-on-non-empty', hostPaths.artifacts, hostPaths.state],
    timeoutSeconds: 10,
    okExitCodes: [0, 1],
  },
];

function returnAction(manager: PackageManager, packages: readonly RemovedPackage[]): LongAction {
  const install = (names: readonly string[]): (readonly string[])[] => [
    ...refuseRemovals(manager, names),
    manager.install(names),
  ];
  const exact = packages.map(({ name, version }) => manager.atVersion(name, version));
  return {
    kind: 'long',
    unit: returnUnit,
    commands: install(exact),
    timeoutSeconds: 1500,
    env: manager.env,
    returnsPackages: {
      packages: packages.map(({ name, version }) => ({ name, version })),
      commands: manager.record,
      removal: manager.removal,
      refresh: manager.refresh,
      each: packages.map(({ name }, index) => ({ exact: install([exact[index] ?? name]), any: install([name]) })),
    },
  };
}
