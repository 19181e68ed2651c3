import type { PackagesCommands, RecordSeen } from './record.ts';
import type { TreesSeen } from './trees.ts';

/**
 * What a step must know about a host. Queries are data: ops/compile.ts turns a list of them into one script, and two equal
 * queries are asked once. None of them changes the host.
 */
export type Query = FileQuery | CommandQuery | ServiceQuery | ArtifactQuery | RecordQuery | TreesQuery;

/** A file's type, mode, owner, size and sha256; its text only where `content` is asked for. */
export interface FileQuery {
  readonly kind: 'file';
  readonly path: string;
  /** False for secrets and for files whose text no plan needs. */
  readonly content: boolean;
}

/** Output and exit status of a command that only reads. */
export interface CommandQuery {
  readonly kind: 'command';
  readonly argv: readonly string[];
  /** The command is ended after this many seconds (exit status 124). */
  readonly timeoutSeconds: number;
  /** Text on its standard input; never a secret. */
  readonly stdin?: string;
  /** More environment, never a secret. */
  readonly env?: Readonly<Record<string, string>>;
}

/** A systemd unit, and the INSTALLER_DIGEST in the environment that its main process was started with. */
export interface ServiceQuery {
  readonly kind: 'service';
  readonly unit: string;
}

/** Files that a fetch action laid down, compared with the record it left (see ops/artifact-record). */
export interface ArtifactQuery {
  readonly kind: 'artifact';
  readonly name: string;
  /** Read every file and compare its digest, instead of trusting inode, size, mtime and ctime. */
  readonly verifyContent: boolean;
}

/** What the host was like before the installer changed it, and what the same things are like now. */
export interface RecordQuery {
  readonly kind: 'record';
  readonly packages: PackagesCommands;
}

/** Whether a clear action would still find something in these folders, and what is mounted in them. */
export interface TreesQuery {
  readonly kind: 'trees';
  readonly paths: readonly string[];
}

export interface FileSeen {
  /** Links are followed; a symlink is one that leads nowhere. */
  readonly type: 'file' | 'directory' | 'symlink' | 'other';
  /** Octal, without file type: `644`. */
  readonly mode: string;
  readonly owner: string;
  readonly group: string;
  readonly sizeBytes: number;
  /** Hex; empty for what is not a regular file. */
  readonly sha256: string;
  readonly content?: string;
}

export interface CommandSeen {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Resolution of 10 ms. */
  readonly durationMs: number;
}

export interface ServiceSeen {
  readonly loadState: string;
  readonly activeState: string;
  readonly subState: string;
  readonly result: string;
  /** enabled, disabled, static, masked, transient, … */
  readonly unitFileState: string;
  readonly mainPid: number;
  readonly execMainStatus: number;
  /** When the unit last went active, as systemd prints it; changes with every start. */
  readonly activeEnterTimestamp: string;
  readonly needDaemonReload: boolean;
  readonly fragmentPath: string;
  readonly startedWithDigest: string | undefined;
}

export interface ArtifactSeen {
  /** Digest (hex sha256) of the archive or file that was fetched. */
  readonly sourceSha256: string;
  readonly version: string;
  readonly files: readonly string[];
  /** Files that are gone or no longer what was laid down. */
  readonly altered: readonly string[];
}

/** An answer is never guessed: what could not be read is unknown, and unknown plans no one-time or destructive act. */
export type Seen<T> =
  | { readonly state: 'present'; readonly value: T }
  | { readonly state: 'absent' }
  | { readonly state: 'unknown'; readonly reason: string };

export type AnswerOf<Q extends Query> = Q extends FileQuery
  ? FileSeen
  : Q extends CommandQuery
    ? CommandSeen
    : Q extends ServiceQuery
      ? ServiceSeen
      : Q extends RecordQuery
        ? RecordSeen
        : Q extends TreesQuery
          ? TreesSeen
          : ArtifactSeen;

/** Answers by query. Asking for a query that was not declared is a defect and throws InternalError. */
export type Answers = <Q extends Query>(query: Q) => Seen<AnswerOf<Q>>;

export function fileQuery(path: string, options: { content?: boolean } = {}): FileQuery {
  return { kind: 'file', path, content: options.content ?? true };
}

export function commandQuery(
  argv: readonly string[],
  options: { timeoutSeconds?: number; stdin?: string; env?: Readonly<Record<string, string>> } = {},
): CommandQuery {
  return {
    kind: 'command',
    argv,
    timeoutSeconds: options.timeoutSeconds ?? 20,
    ...(options.stdin === undefined ? {} : { stdin: options.stdin }),
    ...(options.env === undefined ? {} : { env: options.env }),
  };
}

export function serviceQuery(unit: string): ServiceQuery {
  return { kind: 'service', unit };
}

export function artifactQuery(name: string, verifyContent: boolean): ArtifactQuery {
  return { kind: 'artifact', name, verifyContent };
}

export function treesQuery(paths: readonly string[]): TreesQuery {
  return { kind: 'trees', paths };
}

/** Identity of a query: equal queries have equal keys. */
export function queryKey(query: Query): string {
  return JSON.stringify(query);
}
