import type { PackagesCommands, RemovalCommands, RemovedPackage, UnitState } from './record.ts';

/**
 * What a step does to a host. Actions are data; ops/compile.ts turns a list of them into one script. Text may hold
 * placeholders of secrets (ops/secrets.ts), which are filled when the script is made, after planning.
 */
export type Action =
  | WriteFileAction
  | RemoveAction
  | DirectoryAction
  | RunAction
  | ServiceAction
  | FetchAction
  | LongAction
  | UnmountAction
  | ClearAction
  | WaitAction
  | LinkAction
  | KernelValuesAction
  | RecordAction
  | RestoreFileAction
  | ForgetAction;

/** Written to a temporary file beside it, synced, renamed, and the folder synced. */
export interface WriteFileAction {
  readonly kind: 'write-file';
  readonly path: string;
  readonly content: string;
  /** Octal: `644`. */
  readonly mode: string;
  /** A file of somebody else that is changed in part: its owner stays. */
  readonly keepOwner?: boolean;
  /** What was there before is kept (ops/record), so that it can be put back. */
  readonly record?: RecordedFile;
}

export interface RecordedFile {
  /** Commands that make the change count, also when it is undone. */
  readonly after?: readonly (readonly string[])[];
}

/** Removes a file, or a folder with all in it (mounts below it are left alone). Absent is fine. */
export interface RemoveAction {
  readonly kind: 'remove';
  readonly path: string;
  /** For a file or a link only: what was there before is kept (ops/record). */
  readonly record?: RecordedFile;
}

/** Puts a link in the place of a file or of another link; what was there before is kept (ops/record). */
export interface LinkAction {
  readonly kind: 'link';
  readonly path: string;
  readonly target: string;
  readonly record: RecordedFile;
}

/** Settings of the running kernel, by file below /proc/sys or /sys; with `record` what they were is kept (ops/record). */
export interface KernelValuesAction {
  readonly kind: 'kernel-values';
  readonly values: readonly { readonly path: string; readonly value: string }[];
  readonly record: boolean;
}

/**
 * Keeps what a unit or the swap devices are like, what folders hold, or that a module is not loaded, before the actions behind this one change it. A file that another program
 * changes is recorded twice: `before`, and `after`, when it holds what came of the change.
 */
export interface RecordAction {
  readonly kind: 'record';
  readonly thing:
    | { readonly kind: 'swap' }
    | { readonly kind: 'folders'; readonly paths: readonly string[] }
    | { readonly kind: 'module'; readonly module: string }
    | { readonly kind: 'unit'; readonly unit: string; readonly becomes: UnitState }
    | {
        readonly kind: 'file';
        readonly path: string;
        readonly when: 'before' | 'after';
        readonly record: RecordedFile;
      };
}

/** Puts the file of an entry of the record back. */
export interface RestoreFileAction {
  readonly kind: 'restore-file';
  readonly entry: string;
  readonly path: string;
}

/** Removes an entry of the record: its thing is as it was, or somebody else's by now. */
export interface ForgetAction {
  readonly kind: 'forget';
  readonly entry: string;
}

export interface DirectoryAction {
  readonly kind: 'directory';
  readonly path: string;
  readonly mode: string;
}

/** A short command. */
export interface RunAction {
  readonly kind: 'run';
  readonly argv: readonly string[];
  readonly timeoutSeconds: number;
  readonly stdin?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Exit statuses that are fine; [0] where not given. */
  readonly okExitCodes?: readonly number[];
}

export interface ServiceAction {
  readonly kind: 'service';
  readonly unit: string;
  readonly do: 'start' | 'restart' | 'stop' | 'enable' | 'disable' | 'mask' | 'unmask' | 'daemon-reload';
}

/** How curl is let in to a server. */
export interface FetchServer {
  /** PEM text of the authority that signs for it. */
  readonly ca?: string | undefined;
  /** Lines for its `--config`, with placeholders. */
  readonly curlConfig?: string | undefined;
}

/** Fetches a URL, checks its sha256 before anything of it is used, and lays the file or the members of the archive down. */
export interface FetchAction {
  readonly kind: 'fetch';
  /** Name of the record on the host; an artifact query reads it. */
  readonly name: string;
  /** Kept in the record beside the digest. */
  readonly version: string;
  readonly url: string;
  /** Hex. Where undefined, the published one at checksumUrl is used. */
  readonly sha256: string | undefined;
  readonly checksumUrl: string;
  /** Files that somebody else will write beside these because of them; what is there now is kept (ops/record). */
  readonly alsoKeeps?: readonly string[];
  /** By host of an address, with its port: servers that not everybody is let in to. curl alone fetches from those. */
  readonly servers?: Readonly<Record<string, FetchServer>> | undefined;
  readonly install:
    | { readonly as: 'file'; readonly path: string; readonly mode: string }
    /** Each member, at its path in the archive, goes to `directory`/`to` (mode 755). Members not named are left out. */
    | {
        readonly as: 'members';
        readonly directory: string;
        readonly members: readonly { readonly from: string; readonly to: string }[];
      }
    /** All regular files at the top of the archive. */
    | { readonly as: 'all'; readonly directory: string };
}

/**
 * A command that takes long or may happen only once. It runs as a transient systemd unit, so a broken connection neither
 * ends nor doubles it: where the unit runs already, the action waits for that one and takes its result.
 */
export interface LongAction {
  readonly kind: 'long';
  /** Name of the unit without `.service`. */
  readonly unit: string;
  /** Commands, one after the other; the first that fails ends the unit. */
  readonly commands: readonly (readonly string[])[];
  /** How many of the commands run at a time, in no certain order; 1 where not given. After a failure no other one is begun. */
  readonly parallel?: number;
  readonly timeoutSeconds: number;
  readonly env?: Readonly<Record<string, string>>;
  /** The plan saw the unit running: wait for it and take its result, start nothing. */
  readonly attachOnly?: boolean;
  /** False: the unit is started, and a later action takes its result. */
  readonly wait?: boolean;
  /** It installs packages: those that come by it are kept in the record (ops/record). */
  readonly recordPackages?: PackagesCommands;
  /** It removes packages: what they were like is kept in the record before, and nothing is done where something needs them. */
  readonly removesPackages?: PackagesRemoval;
  /** It puts back what was removed, `commands` in the versions that were there; it fails where one does not come. */
  readonly returnsPackages?: PackagesReturn;
}

export interface PackagesRemoval {
  readonly names: readonly string[];
  readonly commands: PackagesCommands;
  readonly removal: RemovalCommands;
}

export interface PackagesReturn {
  readonly packages: readonly RemovedPackage[];
  readonly commands: PackagesCommands;
  readonly removal: RemovalCommands;
  readonly refresh: readonly string[];
  /** Where they do not come together: commands for each in its old version, and in whichever is to be had. */
  readonly each: readonly {
    readonly exact: readonly (readonly string[])[];
    readonly any: readonly (readonly string[])[];
  }[];
}

/** Exit status of a long action whose unit went away while it was waited for: somebody else took its result. */
export const unitGoneStatus = 69;

/** Unmounts what programs mounted at paths that begin so, deepest first. What fstab or a unit of systemd mounts is somebody's, and stays. */
export interface UnmountAction {
  readonly kind: 'unmount';
  readonly prefixes: readonly string[];
}

/**
 * Takes folders away, but for what the record says was there before, and for what is mounted there: mount points and links to
 * folders stay, emptied (ops/trees). With `onlyEmpty` just what is empty in them goes.
 */
export interface ClearAction {
  readonly kind: 'clear';
  readonly paths: readonly string[];
  readonly onlyEmpty?: boolean;
}

/** Repeats a command that only reads until it succeeds; its last output is the error when the time is over. */
export interface WaitAction {
  readonly kind: 'wait';
  readonly description: string;
  readonly argv: readonly string[];
  readonly timeoutSeconds: number;
  readonly intervalSeconds: number;
}

/** One line for people and logs; placeholders stay placeholders. */
export function describeAction(action: Action): string {
  switch (action.kind) {
    case 'write-file':
      return `write ${action.path} (${action.mode})`;
    case 'remove':
      return `remove ${action.path}`;
    case 'directory':
      return `make folder ${action.path} (${action.mode})`;
    case 'run':
      return action.argv.join(' ');
    case 'service':
      return action.do === 'daemon-reload' ? 'systemctl daemon-reload' : `systemctl ${action.do} ${action.unit}`;
    case 'fetch':
      return `fetch ${action.url}`;
    case 'long':
      return `${action.commands.map((argv) => argv.join(' ')).join((action.parallel ?? 1) > 1 ? ' & ' : ' && ')} (unit ${action.unit})`;
    case 'unmount':
      return `unmount ${action.prefixes.map((prefix) => `${prefix}*`).join(', ')}`;
    case 'clear':
      return `take away ${action.onlyEmpty === true ? 'empty folders of ' : ''}${action.paths.join(', ')}`;
    case 'wait':
      return `wait until ${action.description}`;
    case 'link':
      return `link ${action.path} to ${action.target}`;
    case 'kernel-values':
      return `set ${action.values.map(({ path, value }) => `${path} = ${value}`).join(', ')}`;
    case 'record':
      return `record ${describeThing(action.thing)}`;
    case 'restore-file':
      return `restore ${action.path}`;
    case 'forget':
      return `forget ${action.entry}`;
  }
}

function describeThing(thing: RecordAction['thing']): string {
  switch (thing.kind) {
    case 'swap':
      return 'swap';
    case 'folders':
      return `folders ${thing.paths.join(', ')}`;
    case 'module':
      return `module ${thing.module}`;
    case 'unit':
      return thing.unit;
    case 'file':
      return thing.path;
  }
}
