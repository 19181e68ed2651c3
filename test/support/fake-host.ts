import { createHash } from 'node:crypto';
import { expect, onTestFinished } from 'vitest';
import { InternalError } from '../../src/errors.ts';
import type { ApplyInput, ApplyResult, Host } from '../../src/hosts/host.ts';
import { describeAction, type Action, type FetchAction } from '../../src/ops/action.ts';
import {
  queryKey,
  type AnswerOf,
  type Answers,
  type ArtifactSeen,
  type CommandSeen,
  type FileSeen,
  type Query,
  type Seen,
  type ServiceSeen,
} from '../../src/ops/query.ts';
import { createFakeRecord, type FakeRecord } from './fake-record.ts';
import { fillSecrets, type Secrets } from '../../src/ops/secrets.ts';

export interface FakeFile {
  content: string;
  mode: string;
  owner: string;
  type: FileSeen['type'];
}

/** What a command does: its output (the word `absent`: there is no such command), its whole answer, or no answer. */
export type CommandAnswer = string | Partial<CommandSeen> | { readonly unknown: string };

export type CommandHandler = (argv: readonly string[], stdin: string) => CommandAnswer;

/** Stands before an apply; `perform` does what the host would do. */
export type ApplyFault = (input: ApplyInput, perform: () => ApplyResult) => ApplyResult | Promise<ApplyResult>;

export interface FakeModel {
  readonly files?: Readonly<Record<string, string | Partial<FakeFile>>>;
  readonly services?: Readonly<Record<string, Partial<ServiceSeen>>>;
  readonly artifacts?: Readonly<Record<string, ArtifactSeen>>;
}

/** A host in memory. What is applied changes the model, and what is observed is read from it. */
export interface FakeHost extends Host {
  readonly files: Map<string, FakeFile>;
  readonly services: Map<string, ServiceSeen>;
  readonly artifacts: Map<string, ArtifactSeen>;
  readonly record: FakeRecord;
  /** Names of installed packages, and what speaks against removing those that the record names. */
  readonly packages: Set<string>;
  readonly objections: string[];
  /** Why a file, unit or record cannot be read, by path or name. */
  readonly unreadable: Map<string, string>;
  /** Lines of all actions that were done, in order. */
  readonly done: readonly string[];
  /** Round trips so far. */
  readonly trips: number;
  /** One is taken for each apply, in order. */
  readonly faults: ApplyFault[];
  /** One is taken for each round trip of queries, in order. */
  readonly observeFaults: (() => void | Promise<void>)[];
  /** Commands whose line begins with the text, or matches; of several the one given last. */
  on(command: string | RegExp, answer: CommandAnswer | CommandHandler): void;
  /** Another run changes the host. */
  changeBehind(change?: () => void): void;
  write(path: string, content: string, more?: Partial<FakeFile>): void;
  /** What a command on the host does to a service. */
  systemctl(verb: Extract<Action, { kind: 'service' }>['do'], unit: string): void;
  text(path: string): string | undefined;
}

/** A command that the test gave no answer for fails the test, whatever becomes of the run. */
export function createFakeHost(name: string, model: FakeModel = {}): FakeHost {
  const files = new Map<string, FakeFile>();
  const services = new Map<string, ServiceSeen>();
  const artifacts = new Map(Object.entries(model.artifacts ?? {}));
  const unreadable = new Map<string, string>();
  const packages = new Set<string>();
  const objections: string[] = [];
  const record = createFakeRecord(files, services, packages, () => objections);
  const commands: { readonly matches: (line: string) => boolean; readonly handler: CommandHandler }[] = [];
  const known = new Map<string, Seen<AnswerOf<Query>>>();
  const done: string[] = [];
  const faults: ApplyFault[] = [];
  const observeFaults: (() => void | Promise<void>)[] = [];
  const unmatched: string[] = [];
  let trips = 0;
  let generation = 0;
  let seenGeneration = 0;

  onTestFinished(() => {
    expect(unmatched, `commands that ${name} has no answer for`).toEqual([]);
  });

  function write(path: string, content: string, more: Partial<FakeFile> = {}): void {
    files.set(path, { content, mode: '644', owner: 'root', type: 'file', ...more });
  }

  for (const [path, file] of Object.entries(model.files ?? {})) {
    if (typeof file === 'string') write(path, file);
    else write(path, '', file);
  }
  for (const [unit, service] of Object.entries(model.services ?? {})) services.set(unit, toService(service));

  /** `grep -sH '' PATH…` reads several files at once. */
  function grepAll(paths: readonly string[]): string {
    const found = paths.flatMap((path) => {
      const text = files.get(path)?.content;
      return text === undefined ? [] : [`${path}:${text.trim()}\n`];
    });
    return found.join('');
  }
  commands.push({
    matches: (line) => line.startsWith('grep -sH  /proc/sys/'),
    handler: (argv) => grepAll(argv.slice(3)),
  });

  function answerCommand(argv: readonly string[], stdin: string): Seen<CommandSeen> {
    const line = argv.join(' ');
    const found = commands.findLast(({ matches }) => matches(line));
    if (found === undefined) {
      unmatched.push(line);
      throw new InternalError(`${name} has no answer for the command: ${line}`);
    }
    const answer = found.handler(argv, stdin);
    if (answer === 'absent') return { state: 'absent' };
    if (typeof answer === 'string') return answerOf({ stdout: answer });
    return 'unknown' in answer ? { state: 'unknown', reason: answer.unknown } : answerOf(answer);
  }

  function answer(query: Query): Seen<AnswerOf<Query>> {
    if (query.kind === 'command') return answerCommand(query.argv, query.stdin ?? '');
    if (query.kind === 'record') {
      const seen = record.seen();
      return seen === undefined ? { state: 'absent' } : { state: 'present', value: seen };
    }
    if (query.kind === 'trees') {
      const left = query.paths.filter((folder) => [...files.keys()].some((path) => path.startsWith(`${folder}/`)));
      return { state: 'present', value: { left, mounted: [] } };
    }
    const key = query.kind === 'file' ? query.path : query.kind === 'service' ? query.unit : query.name;
    const reason = unreadable.get(key);
    if (reason !== undefined) return { state: 'unknown', reason };
    if (query.kind === 'file') return answerFile(files, query.path, query.content);
    const value = query.kind === 'service' ? services.get(query.unit) : artifacts.get(query.name);
    return value === undefined ? { state: 'absent' } : { state: 'present', value };
  }

  async function ask(
    queries: readonly Query[],
    signal: AbortSignal | undefined,
  ): Promise<Map<string, Seen<AnswerOf<Query>>>> {
    trips += 1;
    await Promise.resolve();
    await observeFaults.shift()?.();
    signal?.throwIfAborted();
    return new Map(queries.map((query) => [queryKey(query), answer(query)]));
  }

  function run(argv: readonly string[], stdin = ''): { exitCode: number; output: string } {
    const seen = answerCommand(argv, stdin);
    if (seen.state === 'absent') return { exitCode: 127, output: 'not found' };
    if (seen.state === 'unknown') return { exitCode: 124, output: seen.reason };
    return { exitCode: seen.value.exitCode, output: `${seen.value.stdout}${seen.value.stderr}`.trim() };
  }

  /** Exit status and output, as the script would give them. */
  function perform(action: Action, secrets: Secrets): { exitCode: number; output: string } {
    const ok = { exitCode: 0, output: '' };
    record.keep(action, action.kind === 'write-file' ? fillSecrets(action.content, secrets) : undefined);
    if (record.perform(action)) return ok;
    switch (action.kind) {
      case 'write-file':
        write(action.path, fillSecrets(action.content, secrets), { mode: action.mode });
        return ok;
      case 'directory':
        write(action.path, '', { type: 'directory', mode: action.mode });
        return ok;
      case 'remove':
        for (const path of files.keys())
          if (path === action.path || path.startsWith(`${action.path}/`)) files.delete(path);
        for (const unit of artifacts.keys()) if (action.path.endsWith(`/artifacts/${unit}`)) artifacts.delete(unit);
        return ok;
      case 'run': {
        const result = run(action.argv, fillSecrets(action.stdin ?? '', secrets));
        return (action.okExitCodes ?? [0]).includes(result.exitCode) ? ok : result;
      }
      case 'service':
        return performService(action.unit, action.do, files, services);
      case 'fetch':
        artifacts.set(action.name, toArtifact(action));
        for (const path of toArtifact(action).files) write(path, action.url, { mode: '755' });
        return ok;
      case 'long':
        return action.commands.map((argv) => run(argv)).find(({ exitCode }) => exitCode !== 0) ?? ok;
      case 'unmount':
        return ok;
      case 'clear':
        if (action.onlyEmpty !== true)
          for (const folder of action.paths)
            for (const path of files.keys()) if (path.startsWith(`${folder}/`)) files.delete(path);
        return ok;
      case 'wait': {
        const { exitCode, output } = run(action.argv);
        return exitCode === 0 ? ok : { exitCode: 124, output };
      }
      default:
        throw new InternalError(`nobody does ${action.kind}`);
    }
  }

  function performAll(input: ApplyInput): ApplyResult {
    if (generation !== seenGeneration) return { status: 'stale' };
    generation += 1;
    for (const [index, action] of input.actions.entries()) {
      const { exitCode, output } = perform(action, input.secrets);
      if (exitCode !== 0) return { status: 'failed', failed: { index, exitCode, output } };
      done.push(describeAction(action));
    }
    seenGeneration = generation;
    for (const query of input.look) known.set(queryKey(query), answer(query));
    return { status: 'applied', actionMs: input.actions.map(() => 10) };
  }

  return {
    name,
    files,
    services,
    artifacts,
    record,
    packages,
    objections,
    unreadable,
    done,
    faults,
    observeFaults,
    get trips() {
      return trips;
    },
    transport: {
      description: `fake ${name}`,
      privilege: 'root',
      get trips() {
        return trips;
      },
      exec: () => Promise.reject(new InternalError('a fake host runs no scripts')),
      close: () => Promise.resolve(),
    },
    async observe(queries, options = {}) {
      const missing = queries.filter((query) => !known.has(queryKey(query)));
      if (missing.length > 0) {
        for (const [key, seen] of await ask(missing, options.signal)) known.set(key, seen);
        seenGeneration = generation;
      }
      return answersOf(name, known);
    },
    observeOnce: async (queries, options = {}) => answersOf(name, await ask(queries, options.signal)),
    async apply(input) {
      trips += 1;
      known.clear();
      await Promise.resolve();
      const fault = faults.shift();
      return fault === undefined ? performAll(input) : fault(input, () => performAll(input));
    },
    askedAtMs: () => 0,
    tookMs: () => 0,
    forget: () => known.clear(),
    on(command, given) {
      const matches =
        typeof command === 'string' ? (line: string) => line.startsWith(command) : (line: string) => command.test(line);
      commands.push({ matches, handler: typeof given === 'function' ? given : () => given });
    },
    changeBehind(change) {
      generation += 1;
      change?.();
    },
    write,
    systemctl: (verb, unit) => void performService(unit, verb, files, services),
    text: (path) => files.get(path)?.content,
  };
}

function answersOf(name: string, known: ReadonlyMap<string, Seen<AnswerOf<Query>>>): Answers {
  return (query) => {
    const seen = known.get(queryKey(query));
    if (seen === undefined)
      throw new InternalError(`${name}: a plan asks what its step did not declare: ${queryKey(query)}`);
    return seen as Seen<AnswerOf<typeof query>>;
  };
}

function answerOf(given: Partial<CommandSeen>): Seen<CommandSeen> {
  return { state: 'present', value: { exitCode: 0, stdout: '', stderr: '', durationMs: 10, ...given } };
}

/** A path is a folder where a file of the model lies below it. */
function answerFile(files: ReadonlyMap<string, FakeFile>, path: string, content: boolean): Seen<FileSeen> {
  const base = { mode: '755', owner: 'root', group: 'root', sizeBytes: 4096, sha256: '' };
  const file = files.get(path);
  if (file === undefined) {
    const isFolder = [...files.keys()].some((other) => other.startsWith(`${path}/`));
    return isFolder ? { state: 'present', value: { ...base, type: 'directory' } } : { state: 'absent' };
  }
  const { type, mode, owner } = file;
  if (type !== 'file') return { state: 'present', value: { ...base, type, mode, owner } };
  const sha256 = createHash('sha256').update(file.content).digest('hex');
  const value = { ...base, type, mode, owner, sizeBytes: Buffer.byteLength(file.content), sha256 };
  return { state: 'present', value: content ? { ...value, content: file.content } : value };
}

export function toService(given: Partial<ServiceSeen>): ServiceSeen {
  return {
    loadState: 'loaded',
    activeState: 'inactive',
    subState: 'dead',
    result: 'success',
    unitFileState: 'disabled',
    mainPid: 0,
    execMainStatus: 0,
    activeEnterTimestamp: '',
    needDaemonReload: false,
    fragmentPath: '',
    startedWithDigest: undefined,
    ...given,
  };
}

/** A start takes the digest from the unit's drop-ins, as systemd puts it into the environment. */
function performService(
  unit: string,
  verb: Extract<Action, { kind: 'service' }>['do'],
  files: ReadonlyMap<string, FakeFile>,
  services: Map<string, ServiceSeen>,
): { exitCode: number; output: string } {
  const ok = { exitCode: 0, output: '' };
  if (verb === 'daemon-reload') return ok;
  const isKnown = services.has(unit) || files.has(`/etc/systemd/system/${unit}`);
  if (!isKnown) return { exitCode: 5, output: `Unit ${unit} not found.` };
  const before = services.get(unit) ?? toService({});
  const dropIns = [...files].filter(([path]) => path.startsWith(`/etc/systemd/system/${unit}.d/`));
  const digest = /INSTALLER_DIGEST=(\S+)/.exec(dropIns.map(([, { content }]) => content).join('\n'))?.[1];
  const running = {
    activeState: 'active',
    subState: 'running',
    mainPid: before.mainPid + 1,
    startedWithDigest: digest,
  };
  const changes: Partial<ServiceSeen> = {
    start: before.activeState === 'active' ? {} : running,
    restart: running,
    stop: { activeState: 'inactive', subState: 'dead', mainPid: 0, startedWithDigest: undefined },
    enable: { unitFileState: 'enabled' },
    disable: { unitFileState: 'disabled' },
    mask: { unitFileState: 'masked' },
    unmask: { unitFileState: 'disabled' },
  }[verb];
  services.set(unit, { ...before, ...changes });
  return ok;
}

function toArtifact({ install, version, sha256 }: FetchAction): ArtifactSeen {
  const files =
    install.as === 'file'
      ? [install.path]
      : install.as === 'members'
        ? install.members.map(({ to }) => `${install.directory}/${to}`)
        : [`${install.directory}/all`];
  return { sourceSha256: sha256 ?? 'published', version, files, altered: [] };
}
