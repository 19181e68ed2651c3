import { createHash } from 'node:crypto';
import { hostPaths } from '../../src/ops/host-paths.ts';
import type { Action } from '../../src/ops/action.ts';
import {
  fileEntryId,
  foldersEntryId,
  moduleEntryId,
  packagesEntryId,
  removedPackagesEntryId,
  swapEntryId,
  unitEntryId,
  valueEntryId,
  type FileState,
  type RecordEntry,
  type RecordSeen,
  type UnitState,
} from '../../src/ops/record.ts';
import type { ServiceSeen } from '../../src/ops/query.ts';
import type { FakeFile } from './fake-host.ts';

interface Kept {
  readonly id: string;
  readonly order: number;
  readonly thing:
    | { kind: 'file'; path: string; file: FakeFile | undefined; after: readonly (readonly string[])[] }
    | { kind: 'value'; path: string; was: string }
    | { kind: 'unit'; unit: string; was: UnitState }
    | { kind: 'module'; module: string }
    | { kind: 'swap'; devices: string[] }
    | { kind: 'folders' }
    | { kind: 'packages'; before: ReadonlySet<string> }
    | { kind: 'removed-packages'; names: Set<string> };
  readonly written: Set<string>;
}

/** The record of a fake host, kept as the scripts keep it: an entry before the first change of a thing, and none after. */
export interface FakeRecord {
  /** Ids of the entries. */
  ids(): string[];
  /** Before the action is done. */
  keep(action: Action, content: string | undefined): void;
  /** For the actions that only a record has; false for others. */
  perform(action: Action): boolean;
  seen(): RecordSeen | undefined;
}

export function createFakeRecord(
  files: Map<string, FakeFile>,
  services: ReadonlyMap<string, ServiceSeen>,
  packages: ReadonlySet<string>,
  objections: () => readonly string[],
): FakeRecord {
  const entries = new Map<string, Kept>();

  function add(id: string, thing: () => Kept['thing'], written?: string): void {
    const known = entries.get(id);
    const entry = known ?? {
      id,
      order: Math.max(0, ...[...entries.values()].map(({ order }) => order)) + 1,
      thing: thing(),
      written: new Set(),
    };
    if (known === undefined) entries.set(id, entry);
    if (written !== undefined) entry.written.add(written);
    files.set(`${hostPaths.before}/${id}/entry`, { content: '', mode: '600', owner: 'root', type: 'file' });
    if (entry.thing.kind === 'file' && entry.thing.file !== undefined)
      files.set(`${hostPaths.before}/${id}/content`, entry.thing.file);
  }

  function addFile(path: string, after: readonly (readonly string[])[], written: string): void {
    const file = files.get(path);
    add(
      fileEntryId(path),
      () => ({ kind: 'file', path, file: file === undefined ? undefined : { ...file }, after }),
      written,
    );
  }

  function seeEntry({ id, order, thing, written }: Kept): RecordEntry {
    const base = { id, order };
    switch (thing.kind) {
      case 'file': {
        const { path, after } = thing;
        const states = { was: fileState(thing.file), now: fileState(files.get(path)) };
        return { ...base, kind: 'file', path, ...states, written: [...written], after };
      }
      case 'value':
        return {
          ...base,
          kind: 'value',
          path: thing.path,
          was: thing.was,
          now: valueOf(thing.path),
          written: [...written],
        };
      case 'unit': {
        const states = [...written].map((text): UnitState => {
          const [enablement = '', activity = ''] = text.split(' ');
          return { enablement, activity };
        });
        return { ...base, kind: 'unit', unit: thing.unit, was: thing.was, now: unitState(thing.unit), written: states };
      }
      case 'module': {
        const folder = `/sys/module/${thing.module.replaceAll('-', '_')}`;
        const uses = files.get(`${folder}/refcnt`)?.content;
        const holders = [...files.keys()].flatMap((path) =>
          path.startsWith(`${folder}/holders/`) ? [path.slice(path.lastIndexOf('/') + 1)] : [],
        );
        return {
          ...{ ...base, kind: 'module', module: thing.module, holders },
          uses: uses === undefined ? undefined : Number(uses),
        };
      }
      case 'swap': {
        const active = swapDevices();
        const devices = thing.devices.map((device) => ({
          device,
          priority: -2,
          isActive: active.includes(device),
          isThere: files.get(device)?.content !== 'no swap area',
        }));
        return { ...base, kind: 'swap', devices };
      }
      case 'folders':
        return { ...base, kind: 'folders' };
      case 'packages': {
        const added = [...packages].filter((name) => !thing.before.has(name) && !removed().has(name));
        return { ...base, kind: 'packages', added, objections: added.length === 0 ? [] : objections() };
      }
      case 'removed-packages': {
        const list = [...thing.names].map((name) => ({
          ...{ name, version: '1', isThere: packages.has(name) },
          isReturning: false,
        }));
        return { ...base, kind: 'removed-packages', packages: list };
      }
    }
  }

  function removed(): Set<string> {
    const thing = entries.get(removedPackagesEntryId)?.thing;
    return thing?.kind === 'removed-packages' ? thing.names : new Set();
  }

  function valueOf(path: string): string | undefined {
    return files
      .get(path)
      ?.content.trim()
      .replaceAll(/\s+/g, ' ')
      .replace(/^.*\[(.*)\].*$/, '$1');
  }

  function unitState(unit: string): UnitState {
    const service = services.get(unit);
    return { enablement: service?.unitFileState ?? '', activity: service?.activeState ?? 'inactive' };
  }

  function swapDevices(): string[] {
    const lines = (files.get('/proc/swaps')?.content ?? '').trim().split('\n').slice(1);
    return lines.map((line) => line.split(/\s+/)[0] ?? '');
  }

  return {
    ids: () => [...entries.keys()],
    keep(action, content) {
      if (action.kind === 'write-file' && action.record !== undefined)
        addFile(action.path, action.record.after ?? [], digest(content ?? ''));
      if (action.kind === 'remove' && action.record !== undefined)
        addFile(action.path, action.record.after ?? [], 'absent');
      if (action.kind === 'link') addFile(action.path, action.record.after ?? [], `link ${action.target}`);
      if (action.kind === 'kernel-values' && action.record)
        for (const { path, value } of action.values)
          add(valueEntryId(path), () => ({ kind: 'value', path, was: valueOf(path) ?? '' }), value);
      if (action.kind === 'record' && action.thing.kind === 'swap')
        add(swapEntryId, () => ({ kind: 'swap', devices: swapDevices() }));
      if (action.kind === 'record' && action.thing.kind === 'folders') add(foldersEntryId, () => ({ kind: 'folders' }));
      if (action.kind === 'record' && action.thing.kind === 'module') {
        const { module } = action.thing;
        add(moduleEntryId(module), () => ({ kind: 'module', module }));
      }
      if (action.kind === 'record' && action.thing.kind === 'file') {
        const { path, record } = action.thing;
        const file = files.get(path);
        addFile(path, record.after ?? [], file === undefined ? 'absent' : digest(file.content));
      }
      if (action.kind === 'record' && action.thing.kind === 'unit') {
        const { unit, becomes } = action.thing;
        add(
          unitEntryId(unit),
          () => ({ kind: 'unit', unit, was: unitState(unit) }),
          `${becomes.enablement} ${becomes.activity}`,
        );
      }
      if (action.kind === 'long' && action.recordPackages !== undefined)
        add(packagesEntryId, () => ({ kind: 'packages', before: new Set(packages) }));
      if (action.kind === 'long' && action.removesPackages !== undefined) {
        add(removedPackagesEntryId, () => ({ kind: 'removed-packages', names: new Set() }));
        for (const name of action.removesPackages.names) removed().add(name);
      }
    },
    perform(action) {
      switch (action.kind) {
        case 'record':
          return true;
        case 'kernel-values':
          for (const { path, value } of action.values)
            files.set(path, { content: `${value}\n`, mode: '644', owner: 'root', type: 'file' });
          return true;
        case 'link':
          files.set(action.path, { content: `-> ${action.target}`, mode: '777', owner: 'root', type: 'symlink' });
          return true;
        case 'restore-file': {
          const thing = entries.get(action.entry)?.thing;
          if (thing?.kind !== 'file') throw new Error(`no entry ${action.entry}`);
          if (thing.file === undefined) files.delete(thing.path);
          else files.set(thing.path, { ...thing.file });
          return true;
        }
        case 'forget':
          entries.delete(action.entry);
          for (const path of files.keys())
            if (path.startsWith(`${hostPaths.before}/${action.entry}/`)) files.delete(path);
          return true;
        default:
          return false;
      }
    },
    seen: () =>
      entries.size === 0
        ? undefined
        : { entries: [...entries.values()].map(seeEntry).toSorted((a, b) => b.order - a.order) },
  };
}

function fileState(file: FakeFile | undefined): FileState {
  if (file === undefined) return { state: 'absent' };
  if (file.type === 'symlink') return { state: 'link', target: file.content.replace(/^-> /, '') };
  return { state: 'file', sha256: digest(file.content), mode: file.mode, owner: '0:0' };
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
