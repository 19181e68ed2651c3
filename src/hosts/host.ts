import { randomBytes } from 'node:crypto';
import { InstallerError, InternalError } from '../errors.ts';
import { describeAction, type Action } from '../ops/action.ts';
import { hostPaths } from '../ops/host-paths.ts';
import { compileScript, scriptStatus } from '../ops/compile.ts';
import { parseFrames, watchLock, type FrameContent, type LockWatch, type ScriptOutput } from '../ops/frames.ts';
import { describeLockHolder, type LockHolder } from '../ops/lock.ts';
import { parseAnswer } from '../ops/parse-answer.ts';
import { queryKey, type AnswerOf, type Answers, type Query, type Seen } from '../ops/query.ts';
import type { Secrets } from '../ops/secrets.ts';
import { outcomeUnknownCodes, type ExecResult, type Transport } from '../transport/transport.ts';

/** One action that did not succeed, with all that a reader needs. */
export interface FailedAction {
  readonly index: number;
  readonly exitCode: number | undefined;
  readonly output: string;
}

export interface ApplyInput {
  readonly actions: readonly Action[];
  readonly secrets: Secrets;
  /** Answered in the same round trip, after the actions. */
  readonly look: readonly Query[];
  /** Who holds the lock, for whoever waits. */
  readonly holder: string;
  readonly lockTimeoutSeconds: number;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Told where another script has the lock, and when this one gets it. */
  readonly lockWatch?: LockWatch | undefined;
}

export type ApplyResult =
  /** How long each action took, in milliseconds, and what they had to say to a person. */
  | { readonly status: 'applied'; readonly actionMs: readonly number[]; readonly notes?: readonly string[] }
  /** Somebody else changed the host since it was looked at; nothing was done. */
  | { readonly status: 'stale' }
  | { readonly status: 'failed'; readonly failed: FailedAction };

export interface CommandRecord {
  readonly summary: string;
  readonly result: ExecResult;
}

export interface ObserveOptions {
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
  /** See ExecOptions. */
  readonly together?: boolean | undefined;
}

/** A machine: its transport, and what is known of it. An answer holds until something is applied to the host. */
export interface Host {
  readonly name: string;
  readonly transport: Transport;
  /** Asks what is not known yet, in one round trip, and answers from what is known. */
  observe(queries: readonly Query[], options?: ObserveOptions): Promise<Answers>;
  /** Asks anew and remembers nothing: for waits, and for commands whose answer is used once. */
  observeOnce(queries: readonly Query[], options?: ObserveOptions): Promise<Answers>;
  apply(input: ApplyInput): Promise<ApplyResult>;
  /** The installer's clock (milliseconds since the epoch) when the latest script was started on the host. */
  askedAtMs(): number;
  /** How long that script took, in milliseconds. */
  tookMs(): number;
  /** What was seen before counts no more. */
  forget(): void;
}

const observeTimeoutMs = 120_000;

/** `record` is told of every script that went to the host, for the run log. */
export function createHost(
  name: string,
  transport: Transport,
  record: (command: CommandRecord) => void = () => undefined,
): Host {
  const known = new Map<string, Seen<AnswerOf<Query>>>();
  let generation = '0';
  let askedAtMs = 0;
  let tookMs = 0;

  function learn(output: ScriptOutput, queries: readonly Query[]): void {
    if (output.generation !== undefined) generation = output.generation;
    queries.forEach((query, index) => known.set(queryKey(query), parseAnswer(query, output.queries.get(index))));
  }

  async function ask(queries: readonly Query[], options: ObserveOptions): Promise<ScriptOutput> {
    const nonce = createNonce();
    const script = compileScript({ nonce, queries });
    const result = await transport.exec(script, {
      root: true,
      timeoutMs: options.timeoutMs ?? observeTimeoutMs,
      signal: options.signal,
      together: options.together,
    });
    askedAtMs = Date.now() - result.durationMs;
    tookMs = result.durationMs;
    record({ summary: `look: ${queries.length} queries`, result });
    const output = parseFrames(result.stdout, result.stderr, nonce);
    if (!output.complete) throw scriptDidNotRun(name, result);
    return output;
  }

  /** A look changes nothing, so one that a broken connection cut off is simply repeated, once. */
  async function askAgain(queries: readonly Query[], options: ObserveOptions): Promise<ScriptOutput> {
    try {
      return await ask(queries, options);
    } catch (error) {
      if (!isOutcomeUnknown(error)) throw error;
      return ask(queries, options);
    }
  }

  async function observe(queries: readonly Query[], options: ObserveOptions = {}): Promise<Answers> {
    const missing = dedupe(queries).filter((query) => !known.has(queryKey(query)));
    if (missing.length > 0) learn(await askAgain(missing, options), missing);
    return answersFrom(name, known);
  }

  async function observeOnce(queries: readonly Query[], options: ObserveOptions = {}): Promise<Answers> {
    const output = await askAgain(queries, options);
    return answersFrom(
      name,
      new Map(queries.map((query, index) => [queryKey(query), parseAnswer(query, output.queries.get(index))])),
    );
  }

  async function apply(input: ApplyInput): Promise<ApplyResult> {
    const nonce = createNonce();
    const look = dedupe(input.look);
    const { actions, secrets, holder, lockTimeoutSeconds } = input;
    const script = compileScript({
      nonce,
      apply: { actions, secrets, holder, lockTimeoutSeconds, expectedGeneration: generation },
      queries: look,
    });
    known.clear();
    const summary = `apply: ${actions.map(describeAction).join('; ')}`;
    const onStdout = input.lockWatch === undefined ? undefined : watchLock(nonce, input.lockWatch);
    const result = await transport.exec(script, {
      root: true,
      timeoutMs: input.timeoutMs,
      signal: input.signal,
      onStdout,
    });
    record({ summary, result });
    const output = parseFrames(result.stdout, result.stderr, nonce);
    if (result.exitCode === scriptStatus.stale) return { status: 'stale' };
    if (result.exitCode === scriptStatus.locked) throw hostLocked(name, output.lockHolder, lockTimeoutSeconds);
    const failed = findFailure(actions, output);
    if (failed !== undefined) return { status: 'failed', failed };
    if (!output.complete) throw scriptDidNotRun(name, result);
    learn(output, look);
    const frames = actions.map((_, index) => output.actions.get(index));
    return {
      status: 'applied',
      actionMs: frames.map((frame) => frame?.durationMs ?? 0),
      notes: frames.flatMap((frame) => notesIn(frame?.stdout ?? '')),
    };
  }

  return {
    name,
    transport,
    observe,
    observeOnce,
    apply,
    askedAtMs: () => askedAtMs,
    tookMs: () => tookMs,
    forget: () => known.clear(),
  };
}

type Known = ReadonlyMap<string, Seen<AnswerOf<Query>>>;

function answersFrom(host: string, known: Known): Answers {
  return (query) => {
    const answer = known.get(queryKey(query));
    if (answer === undefined)
      throw new InternalError(`${host}: a plan asks what its step did not declare: ${queryKey(query)}`);
    return answer as Seen<AnswerOf<typeof query>>;
  };
}

/** True where it is not known whether the script ran: the host has to be observed again. */
export function isOutcomeUnknown(error: unknown): boolean {
  return error instanceof InstallerError && outcomeUnknownCodes.has(error.code);
}

function findFailure(actions: readonly Action[], output: ScriptOutput): FailedAction | undefined {
  for (const [index] of actions.entries()) {
    const frame = output.actions.get(index);
    if (frame?.exitCode === 0) continue;
    if (frame === undefined) return output.complete ? { index, exitCode: undefined, output: '' } : undefined;
    return { index, exitCode: frame.exitCode, output: endOf(frame) };
  }
  return undefined;
}

/** Lines that begin with `installer: `. */
function notesIn(text: string): string[] {
  return [...text.matchAll(/^installer: (.*)$/gm)].map(([, note = '']) => note);
}

/** The last lines of both streams, as many as help and no more. */
function endOf(frame: FrameContent): string {
  return [frame.stdout, frame.stderr]
    .map((text) => text.trim().split('\n').slice(-25).join('\n'))
    .filter((text) => text !== '')
    .join('\n');
}

function createNonce(): string {
  return `i${randomBytes(12).toString('hex')}`;
}

function dedupe(queries: readonly Query[]): Query[] {
  return [...new Map(queries.map((query) => [queryKey(query), query])).values()];
}

function hostLocked(host: string, holder: LockHolder | undefined, lockTimeoutSeconds: number): InstallerError {
  const { pid } = holder ?? {};
  const who = holder === undefined ? 'who has its lock is not known' : describeLockHolder(holder, Date.now());
  const look = pid === undefined ? `fuser -v ${hostPaths.lock}` : `ps -o pid,lstart,args -p ${pid} --ppid ${pid}`;
  const end = pid === undefined ? 'end that process' : `end it with: kill ${pid}`;
  return new InstallerError({
    code: 'HOST_LOCKED',
    host,
    message: `another script is still changing this host, and did not end within ${lockTimeoutSeconds} s: ${who}`,
    remedy: `wait for it to end, then run the same command again. What it does is seen on the host with: ${look}; where it hangs, ${end}`,
  });
}

function scriptDidNotRun(host: string, result: ExecResult): InstallerError {
  const stderr = result.stderr.trim().split('\n').slice(-5);
  return new InstallerError({
    code: 'SCRIPT_FAILED',
    host,
    message: `a script did not run to its end (exit status ${result.exitCode ?? result.signal ?? 'unknown'})`,
    remedy: 'see whether /bin/sh, the coreutils, and free space under /run and /var/lib are there, then run again',
    details: [...result.stdout.trim().split('\n').slice(-3), ...stderr]
      .filter((line) => line !== '')
      .map((line) => line.replaceAll(/^i[0-9a-f]{24} /g, '')),
  });
}
