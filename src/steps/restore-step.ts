import { blocked, changes, noChanges, type Change, type Step, type StepPlan } from '../engine/step.ts';
import type { Action } from '../ops/action.ts';
import { hostPaths } from '../ops/host-paths.ts';
import { fileQuery, type Answers, type FileQuery, type RecordQuery } from '../ops/query.ts';
import {
  fileEntryId,
  type FileEntry,
  type FileState,
  type ModuleEntry,
  type PackagesCommands,
  type PackagesEntry,
  type RecordEntry,
  type RemovedPackagesEntry,
  type SwapEntry,
  type UnitEntry,
  type ValueEntry,
} from '../ops/record.ts';

/** A file of which only a part is the installer's: taken out of the text, the rest is what somebody else wants there. */
export interface PartlyOwnFile {
  readonly path: string;
  /** The text without the installer's part; `before` is what was there before the first run, '' where nothing was. */
  undo(now: string, before: string): string;
}

export interface RestoreStepInput {
  readonly partlyOwn: readonly PartlyOwnFile[];
  readonly packages: PackagesCommands;
  /** Takes packages away. */
  removePackages(names: readonly string[]): Action;
}

/**
 * Puts back what the record of the host says, the latest change first. What somebody changed since is kept and said. Each
 * entry goes when its thing is done, so a restore that was cut off goes on, and a second one finds nothing.
 */
export function restoreStep(id: string, input: RestoreStepInput): Step {
  const record: RecordQuery = { kind: 'record', packages: input.packages };
  const texts = input.partlyOwn.map((file) => ({
    file,
    now: fileQuery(file.path),
    before: fileQuery(`${hostPaths.before}/${fileEntryId(file.path)}/content`),
  }));
  return {
    id,
    observe: [record, ...texts.flatMap(({ now, before }) => [now, before])],
    plan(seen) {
      const answer = seen(record);
      if (answer.state === 'absent') return noChanges;
      if (answer.state === 'unknown') return recordUnreadable(answer.reason);
      // Packages that were removed come back when all else is done: their repositories may be among it.
      const entries = answer.value.entries.filter((entry) => entry.kind !== 'removed-packages');
      const list = entries.map((entry): Change => {
        const forget: Action = { kind: 'forget', entry: entry.id };
        const change = planEntry(entry, entries, input, () => {
          const text = texts.find(({ file }) => fileEntryId(file.path) === entry.id);
          return text === undefined ? undefined : undoPart(text, seen);
        });
        return { ...change, actions: [...change.actions, forget] };
      });
      return list.length === 0 ? noChanges : changes(...list);
    },
  };
}

/** What is on a host is not put back by a record that cannot be read. */
export function recordUnreadable(reason: string): StepPlan {
  return blocked(
    'RECORD_UNREADABLE',
    `cannot read ${hostPaths.before}: ${reason}`,
    'see whether the file system is healthy, then run again',
  );
}

type OwnEntry = Exclude<RecordEntry, RemovedPackagesEntry>;

function planEntry(
  entry: OwnEntry,
  all: readonly OwnEntry[],
  input: RestoreStepInput,
  part: () => Part | undefined,
): Change {
  switch (entry.kind) {
    case 'file':
      return planFile(entry, part());
    case 'value':
      return planValue(entry);
    case 'unit':
      return planUnit(entry);
    case 'module':
      return planModule(entry, all);
    case 'swap':
      return planSwap(entry);
    case 'packages':
      return planPackages(entry, input);
    case 'folders':
      return { summary: 'forget what folders of a cluster held', actions: [] };
  }
}

interface Part {
  readonly now: string;
  readonly undone: string;
  /** Nobody but the installer changed the file. */
  readonly isAsBefore: boolean;
  readonly mode: string;
}

function undoPart(
  { file, now, before }: { file: PartlyOwnFile; now: FileQuery; before: FileQuery },
  seen: Answers,
): Part | undefined {
  const nowSeen = seen(now);
  const beforeSeen = seen(before);
  if (nowSeen.state !== 'present' || nowSeen.value.type !== 'file') return undefined;
  const text = nowSeen.value.content ?? '';
  const original = beforeSeen.state === 'present' ? (beforeSeen.value.content ?? '') : '';
  const undone = file.undo(text, original);
  // A text that did not end a line had to be given an end before ours could follow.
  return { now: text, undone, isAsBefore: undone === original || undone === `${original}\n`, mode: nowSeen.value.mode };
}

function planFile(entry: FileEntry, part: Part | undefined): Change {
  const { path, was, now, after } = entry;
  const then = after.map((argv): Action => ({ kind: 'run', argv, timeoutSeconds: 60 }));
  const isOurs = entry.written.includes(describeState(now));
  const restore: Change = {
    summary: was.state === 'absent' ? `remove ${path}` : `put ${path} back`,
    actions: [{ kind: 'restore-file', entry: entry.id, path }, ...then],
  };
  if (sameState(was, now)) return { summary: `${path} is as it was before`, actions: then };
  if (isOurs && (part === undefined || part.isAsBefore)) return restore;
  if (part !== undefined) {
    if (part.isAsBefore) return restore;
    return {
      summary: `take the installer's part out of ${path}; it was edited since, and the rest is kept`,
      before: part.now,
      after: part.undone,
      actions: [{ kind: 'write-file', path, content: part.undone, mode: part.mode, keepOwner: true }, ...then],
    };
  }
  const isGone = now.state === 'absent';
  const kept = `${path}.before-installer`;
  const copy = ['cp', '-a', `${hostPaths.before}/${entry.id}/content`, kept];
  const keepsCopy = was.state === 'file' && !isGone;
  return {
    summary: `keep ${path}: it was ${isGone ? 'removed' : 'edited'} since${keepsCopy ? `; what was there before is ${kept}` : ''}`,
    actions: keepsCopy ? [{ kind: 'run', argv: copy, timeoutSeconds: 20 }] : [],
  };
}

/** As it stands in the entry's list of what was written. */
function describeState(state: FileState): string {
  if (state.state === 'file') return state.sha256;
  return state.state === 'link' ? `link ${state.target}` : state.state;
}

function sameState(was: FileState, now: FileState): boolean {
  if (was.state === 'file' && now.state === 'file')
    return was.sha256 === now.sha256 && was.mode === now.mode && was.owner === now.owner;
  return was.state !== 'other' && describeState(was) === describeState(now);
}

function planValue({ path, was, now, written }: ValueEntry): Change {
  const name = path.startsWith('/proc/sys/') ? path.slice('/proc/sys/'.length).replaceAll('/', '.') : path;
  if (now === was) return { summary: `${name} is ${was}, as before`, actions: [] };
  if (now === undefined) return { summary: `${name} is gone`, actions: [] };
  if (!written.includes(now)) return { summary: `keep ${name} = ${now}: somebody set it since`, actions: [] };
  return {
    summary: `set ${name} back: ${now} -> ${was}`,
    actions: [{ kind: 'kernel-values', values: [{ path, value: was }], record: false }],
  };
}

/** Enablement and activity each go back unless somebody else changed them since. */
function planUnit({ unit, was, now, written }: UnitEntry): Change {
  const actions: Action[] = [];
  const act = (verb: Extract<Action, { kind: 'service' }>['do']): void =>
    void actions.push({ kind: 'service', unit, do: verb });
  const said: string[] = [];
  const kept: string[] = [];
  if (was.enablement !== now.enablement && now.enablement !== '' && was.enablement !== '') {
    if (!written.some(({ enablement }) => enablement === now.enablement)) kept.push(now.enablement);
    else {
      if (now.enablement.startsWith('masked')) act('unmask');
      if (was.enablement.startsWith('enabled')) act('enable');
      else if (was.enablement.startsWith('masked')) act('mask');
      else if (was.enablement === 'disabled') act('disable');
      said.push(was.enablement);
    }
  }
  if (was.activity !== now.activity && isActive(was.activity) !== isActive(now.activity) && now.enablement !== '') {
    if (!written.some(({ activity }) => isActive(activity) === isActive(now.activity))) kept.push(now.activity);
    else {
      act(isActive(was.activity) ? 'start' : 'stop');
      said.push(was.activity);
    }
  }
  if (kept.length > 0) said.push(`kept ${kept.join(' and ')}, which somebody made it since`);
  return {
    summary: said.length === 0 ? `${unit} is as it was before` : `put ${unit} back: ${said.join(', ')}`,
    actions,
  };
}

function isActive(activity: string): boolean {
  return activity === 'active' || activity === 'activating' || activity === 'reloading';
}

/** Never by force, and this one module alone: modprobe -r would take what it needs along, which others may count on. */
function planModule(entry: ModuleEntry, all: readonly OwnEntry[]): Change {
  const { module, uses } = entry;
  if (uses === undefined) return { summary: `module ${module} is not loaded`, actions: [] };
  if (!isUnused(entry, all)) return { summary: `keep module ${module}: it is in use`, actions: [] };
  // Somebody may have begun to use it meanwhile: then it stays, as it would have.
  const argv = ['rmmod', module];
  return {
    summary: `unload module ${module}`,
    actions: [{ kind: 'run', argv, timeoutSeconds: 20, okExitCodes: [0, 1] }],
  };
}

/** Nothing uses it but modules that are unloaded before it, because they were loaded after it. */
function isUnused({ order, uses = 0, holders }: ModuleEntry, all: readonly OwnEntry[]): boolean {
  const going = all.filter(
    (other): other is ModuleEntry => other.kind === 'module' && other.order > order && isUnused(other, all),
  );
  return uses === holders.filter((name) => going.some(({ module }) => module.replaceAll('-', '_') === name)).length;
}

function planSwap({ devices }: SwapEntry): Change {
  const off = devices.filter(({ isActive }) => !isActive);
  const there = off.filter(({ isThere }) => isThere);
  const gone = off.filter(({ isThere }) => !isThere).map(({ device }) => device);
  const compressed = gone.filter((device) => device.startsWith('/dev/zram'));
  const lost = gone.filter((device) => !compressed.includes(device));
  const said = [
    ...(there.length === 0 ? [] : [`turn swap on (${there.map(({ device }) => device).join(', ')})`]),
    ...(compressed.length === 0
      ? []
      : [`swap on ${compressed.join(', ')} is made anew by its unit, or at the next boot`]),
    ...(lost.length === 0 ? [] : [`swap on ${lost.join(', ')} is gone`]),
  ];
  return {
    summary: said.join('; ') || 'swap is as it was before',
    actions: there.map(({ device, priority }) => ({
      kind: 'run',
      // The kernel gives negative priorities by itself.
      argv: ['swapon', ...(priority < 0 ? [] : ['-p', String(priority)]), device],
      timeoutSeconds: 30,
    })),
  };
}

function planPackages({ added, objections }: PackagesEntry, input: RestoreStepInput): Change {
  if (added.length === 0) return { summary: 'no package is left that the installer brought', actions: [] };
  if (objections.length > 0)
    return {
      summary: `keep packages ${added.join(', ')}: they are needed by now`,
      diff: objections.join('\n'),
      actions: [],
    };
  return {
    summary: `remove packages ${added.join(', ')}`,
    disruptive: true,
    actions: [input.removePackages(added)],
  };
}
