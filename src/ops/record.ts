/**
 * What a host was like before the installer changed it. Each changed thing has one entry, a folder below
 * /var/lib/installer/before: `entry` says in lines what was there, `content` is the file that was there, `written` has a line
 * for each state that the installer gave it. An entry is written and synced before the change, by the same script, and only
 * where there is none: so it always tells of the time before the first run.
 */
export type RecordEntry =
  FileEntry | ValueEntry | UnitEntry | ModuleEntry | SwapEntry | PackagesEntry | RemovedPackagesEntry | FoldersEntry;

interface EntryBase {
  /** Name of the entry's folder. */
  readonly id: string;
  /** Entries are undone in the reverse of the order in which they were made. */
  readonly order: number;
}

export interface FileEntry extends EntryBase {
  readonly kind: 'file';
  /** The file itself: where a link led to it, what the link led to. */
  readonly path: string;
  readonly was: FileState;
  readonly now: FileState;
  /** What the installer wrote there: sha256 of a file, `link TARGET`, `absent`. */
  readonly written: readonly string[];
  /** Commands that make the change of the file count. */
  readonly after: readonly (readonly string[])[];
}

export type FileState =
  | { readonly state: 'absent' }
  | { readonly state: 'link'; readonly target: string }
  /** Owner: `UID:GID`. */
  | { readonly state: 'file'; readonly sha256: string; readonly mode: string; readonly owner: string }
  | { readonly state: 'other' };

/** A setting of the running kernel: a file below /proc/sys or /sys. */
export interface ValueEntry extends EntryBase {
  readonly kind: 'value';
  readonly path: string;
  readonly was: string;
  /** Undefined where it is gone: a module that was unloaded. */
  readonly now: string | undefined;
  readonly written: readonly string[];
}

export interface UnitState {
  /** enabled, disabled, masked, static, …; empty where there is no such unit. */
  readonly enablement: string;
  readonly activity: string;
}

export interface UnitEntry extends EntryBase {
  readonly kind: 'unit';
  readonly unit: string;
  readonly was: UnitState;
  readonly now: UnitState;
  readonly written: readonly UnitState[];
}

/** A kernel module that the installer loaded. */
export interface ModuleEntry extends EntryBase {
  readonly kind: 'module';
  readonly module: string;
  /** How often it is used, by the kernel's own count; undefined where it is not loaded by now. */
  readonly uses: number | undefined;
  /** Modules that use it, as the kernel names them (`_` for `-`); each is one of its uses. */
  readonly holders: readonly string[];
}

export interface SwapEntry extends EntryBase {
  readonly kind: 'swap';
  readonly devices: readonly {
    readonly device: string;
    readonly priority: number;
    readonly isActive: boolean;
    /** It can be swapped to: made ready by mkswap. */
    readonly isThere: boolean;
  }[];
}

export interface PackagesEntry extends EntryBase {
  readonly kind: 'packages';
  /** Packages that came with an installation of ours and are still there. */
  readonly added: readonly string[];
  /** What the package manager says against removing them; empty where it would. */
  readonly objections: readonly string[];
}

/** Packages that were there and that the installer removed, or was about to. */
export interface RemovedPackagesEntry extends EntryBase {
  readonly kind: 'removed-packages';
  readonly packages: readonly (RemovedPackage & {
    readonly isThere: boolean;
    /** It was being put back when that was cut off. */
    readonly isReturning: boolean;
  })[];
}

export interface RemovedPackage {
  readonly name: string;
  /** As the package manager writes it. */
  readonly version: string;
}

/** What folders of a cluster's programs held before; clear actions go by it (ops/trees). */
export interface FoldersEntry extends EntryBase {
  readonly kind: 'folders';
}

export interface RecordSeen {
  readonly entries: readonly RecordEntry[];
}

/** How packages are listed (lines `ii NAME`) and their removal is tried out; names are appended to the latter. */
export interface PackagesCommands {
  readonly list: readonly string[];
  readonly tryRemoval: readonly string[];
}

/** How packages are taken out, with all that has to be known to put them back; names are appended. */
export interface RemovalCommands {
  /** Lines `ii NAME VERSION` of those that are there by this very name; `hi` where it is held at its version. */
  readonly find: readonly string[];
  /** Takes nothing away that was not named, and leaves configuration that it can leave. */
  readonly remove: readonly string[];
  /** Paths of what is in a package. */
  readonly files: readonly string[];
  /** Paths of configuration of a package that was edited, and that goes with it. */
  readonly editedConfig: readonly string[];
  /** Holds packages at their versions. */
  readonly hold: readonly string[];
  /** Brings an act of the package manager that was cut off to its end, where it does nothing else before; takes no names. */
  readonly mend: readonly string[];
}

export const packagesEntryId = 'packages';
export const removedPackagesEntryId = 'packages-removed';
export const swapEntryId = 'swap';
export const foldersEntryId = 'folders';

export function fileEntryId(path: string): string {
  return `file${encodePath(path)}`;
}

export function valueEntryId(path: string): string {
  return `value${encodePath(path)}`;
}

export function unitEntryId(unit: string): string {
  return `unit:${unit}`;
}

export function moduleEntryId(module: string): string {
  return `module:${module}`;
}

/** One name for a path: `/etc/fstab` becomes `:etc:fstab`. */
function encodePath(path: string): string {
  return path.replaceAll('%', '%25').replaceAll(':', '%3A').replaceAll('/', ':');
}

/** Parses what a record query printed: lines `key=value`, each entry beginning with `entry=ID`. */
export function parseRecord(stdout: string): RecordSeen {
  const blocks = `\n${stdout}`.split('\nentry=').slice(1);
  return { entries: blocks.flatMap(parseEntry).toSorted((a, b) => b.order - a.order) };
}

function parseEntry(block: string): RecordEntry[] {
  const [id = '', ...lines] = block.split('\n');
  const all = (key: string): string[] =>
    lines.filter((line) => line.startsWith(`${key}=`)).map((line) => line.slice(key.length + 1));
  const one = (key: string): string => all(key)[0] ?? '';
  const base = { id, order: Number(one('order')) };
  switch (one('kind')) {
    case 'file': {
      const after = all('after').map((text) => JSON.parse(text) as string[]);
      const states = { was: parseFileState(one('was')), now: parseFileState(one('now')) };
      return [{ ...base, kind: 'file', path: one('path'), ...states, written: all('written'), after }];
    }
    case 'value': {
      const [now] = all('now');
      return [{ ...base, kind: 'value', path: one('path'), was: one('was'), now, written: all('written') }];
    }
    case 'unit': {
      const states = { was: parseUnitState(one('was')), now: parseUnitState(one('now')) };
      return [{ ...base, kind: 'unit', unit: one('unit'), ...states, written: all('written').map(parseUnitState) }];
    }
    case 'module': {
      const [uses] = all('uses').map(Number);
      return [{ ...base, kind: 'module', module: one('module'), uses, holders: all('holder') }];
    }
    case 'swap': {
      const active = new Set(all('active'));
      const there = new Set(all('there'));
      const devices = all('device').map((line) => {
        const cut = line.lastIndexOf(' ');
        const device = line.slice(0, cut);
        const priority = Number(line.slice(cut + 1));
        return { device, priority, isActive: active.has(device), isThere: there.has(device) };
      });
      return [{ ...base, kind: 'swap', devices }];
    }
    case 'packages':
      return [{ ...base, kind: 'packages', added: all('added'), objections: all('objection') }];
    case 'removed-packages': {
      const [there, returning] = [new Set(all('there')), new Set(all('returning'))];
      const packages = all('removed').map((line) => {
        const [name = '', version = ''] = line.split(' ');
        return { name, version, isThere: there.has(name), isReturning: returning.has(name) };
      });
      return [{ ...base, kind: 'removed-packages', packages }];
    }
    case 'folders':
      return [{ ...base, kind: 'folders' }];
    default:
      return [];
  }
}

function parseFileState(text: string): FileState {
  const [state, ...rest] = text.split(' ');
  if (state === 'absent') return { state };
  if (state === 'link') return { state, target: rest.join(' ') };
  if (state !== 'file') return { state: 'other' };
  const [sha256 = '', mode = '', owner = ''] = rest;
  return { state, sha256, mode, owner };
}

function parseUnitState(text: string): UnitState {
  const [enablement = '', activity = ''] = text.split(' ');
  // As systemd says from release 253 on.
  return { enablement: enablement === 'not-found' ? '' : enablement, activity };
}
