import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  canMakeHostRoot,
  namedSh,
  runScript,
  shells,
  startHostRoot,
  type HostRoot,
} from '../../test/support/shells.ts';
import { InstallerError, InternalError } from '../errors.ts';
import type { Action } from '../ops/action.ts';
import { compileScript } from '../ops/compile.ts';
import type { LockHolder } from '../ops/lock.ts';
import { commandQuery, fileQuery, type Query } from '../ops/query.ts';
import type { ExecResult, Transport } from '../transport/transport.ts';
import { createHost, isOutcomeUnknown, type ApplyInput, type CommandRecord, type Host } from './host.ts';

describe.skipIf(!canMakeHostRoot).each(shells)('a host under $name (needs root and mount namespaces)', ({ binary }) => {
  let root: HostRoot;
  let transport: Transport;
  let host: Host;
  let folder: string;
  let count = 0;

  beforeAll(async () => {
    root = await startHostRoot();
  });

  afterAll(() => {
    root.stop();
  });

  beforeEach(() => {
    count += 1;
    folder = join(root.folder, `case${count}`);
    mkdirSync(folder);
    transport = root.transport(namedSh(binary, root.folder));
    host = createHost('n1', transport);
  });

  function writes(name: string, content = ''): Action {
    return { kind: 'write-file', path: join(folder, name), content, mode: '644' };
  }

  function input(actions: readonly Action[], more: Partial<ApplyInput> = {}): ApplyInput {
    const base = {
      secrets: new Map<string, string>(),
      look: [],
      holder: 'run 1',
      lockTimeoutSeconds: 1,
      timeoutMs: 20_000,
    };
    return { ...base, actions, ...more };
  }

  const generation = fileQuery('/run/installer/generation');

  it('asks what it does not know, in one trip, and remembers it', async () => {
    const path = fileQuery(join(folder, 'a'));
    const echo = commandQuery(['echo', 'x']);

    await host.observe([path, echo, path]);
    const seen = await host.observe([echo, path]);

    expect(transport.trips).toBe(1);
    expect(seen(path)).toEqual({ state: 'absent' });
    expect(seen(echo)).toMatchObject({ value: { stdout: 'x\n' } });
  });

  it('asks anew what was asked once, what it forgot, and everything after something was applied', async () => {
    const file = fileQuery(join(folder, 'a'));

    await host.observeOnce([file]);
    await host.observe([file]);
    host.forget();
    await host.observe([file]);
    expect(transport.trips).toBe(3);
    await host.apply(input([writes('a')]));
    const seen = await host.observe([file]);

    expect(transport.trips).toBe(5);
    expect(seen(file)).toMatchObject({ state: 'present' });
  });

  it('applies and looks in one trip', async () => {
    const file = fileQuery(join(folder, 'a'));
    const other = commandQuery(['echo', 'y']);
    await host.observe([file, other]);

    const result = await host.apply(input([writes('a', 'new')], { look: [file, other] }));
    const seen = await host.observe([file, other]);

    expect(transport.trips).toBe(2);
    expect(result).toMatchObject({ status: 'applied' });
    expect(seen(file)).toMatchObject({ value: { content: 'new' } });
  });

  it('tells how long each action took', async () => {
    await host.observe([generation]);
    const sleep: Action = { kind: 'run', argv: ['sleep', '0.3'], timeoutSeconds: 5 };

    const result = await host.apply(input([writes('a'), sleep]));

    if (result.status !== 'applied') throw new Error(result.status);
    expect(result.actionMs).toHaveLength(2);
    expect(result.actionMs[1]).toBeGreaterThanOrEqual(280);
    expect(result.actionMs[1]).toBeGreaterThan(result.actionMs[0] ?? Infinity);
  });

  it('tells what an action has to say to a person', async () => {
    await host.observe([generation]);
    const say: Action = {
      kind: 'run',
      argv: ['printf', 'a\\ninstaller: one\\nan installer: no\\n'],
      timeoutSeconds: 5,
    };

    expect(await host.apply(input([writes('a'), say]))).toMatchObject({ status: 'applied', notes: ['one'] });
  });

  it('refuses a plan that another run has overtaken, and applies the next one', async () => {
    const other = createHost('n1', transport);
    await host.observe([generation]);
    await other.observe([generation]);
    await other.apply(input([writes('theirs')]));

    expect(await host.apply(input([writes('ours')]))).toEqual({ status: 'stale' });
    expect(existsSync(join(folder, 'ours'))).toBe(false);
    host.forget();
    await host.observe([generation]);
    expect(await host.apply(input([writes('ours')]))).toMatchObject({ status: 'applied' });
  });

  it('counts a plan as overtaken where an earlier script failed half way', async () => {
    const other = createHost('n1', transport);
    await host.observe([generation]);
    await other.observe([generation]);
    await other.apply(input([{ kind: 'run', argv: ['false'], timeoutSeconds: 1 }]));

    expect(await host.apply(input([writes('ours')]))).toEqual({ status: 'stale' });
  });

  it('counts a plan as overtaken that was made while a script was still running', async () => {
    const other = createHost('n1', transport);
    await other.observe([generation]);
    const started = writes('started');
    const sleep: Action = { kind: 'run', argv: ['sleep', '0.5'], timeoutSeconds: 5 };
    const running = other.apply(input([started, sleep]));
    await vi.waitFor(() => expect(existsSync(join(folder, 'started'))).toBe(true));
    await host.observe([generation]);

    expect(await host.apply(input([writes('ours')], { lockTimeoutSeconds: 5 }))).toEqual({ status: 'stale' });
    expect(await running).toMatchObject({ status: 'applied' });
    expect(existsSync(join(folder, 'ours'))).toBe(false);
  });

  it('says who holds the lock, applies nothing then, and goes on when it is free', async () => {
    await host.observe([generation]);
    const lock = root.outside('/run/installer/lock');
    // The second line of a holder whose shell is gone: no process has this number.
    writeFileSync(lock, 'run 0a1b from laptop\n4194305 0\n');
    const holder = spawn('flock', [lock, 'sh', '-c', 'echo held; exec sleep 30'], { stdio: 'pipe', detached: true });
    await new Promise((resolve) => holder.stdout.once('data', resolve));

    const error: unknown = await host.apply(input([writes('ours')])).catch((thrown: unknown) => thrown);
    process.kill(-(holder.pid ?? 0), 'SIGKILL');
    await new Promise((resolve) => holder.once('close', resolve));

    expect(error).toBeInstanceOf(InstallerError);
    expect(error).toMatchObject({
      code: 'HOST_LOCKED',
      host: 'n1',
      message: expect.stringMatching(
        /did not end within 1 s: run 0a1b from laptop, a command whose shell is gone, since \d{4}-/,
      ) as string,
      remedy: expect.stringContaining('fuser -v /run/installer/lock') as string,
    });
    expect(existsSync(join(folder, 'ours'))).toBe(false);
    expect(await host.apply(input([writes('ours')], { holder: "it's me" }))).toMatchObject({ status: 'applied' });
    expect(readFileSync(lock, 'utf8')).toMatch(/^it's me\n\d+ \d+\n$/);
  });

  it('tells while it waits who has the lock, and when it has it itself', async () => {
    const other = createHost('n1', transport);
    await host.observe([generation]);
    await other.observe([generation]);
    const sleep: Action = { kind: 'run', argv: ['sleep', '5'], timeoutSeconds: 10 };
    const running = other.apply(input([writes('theirs'), sleep], { holder: 'run 0a1b (install-runtime)' }));
    await vi.waitFor(() => expect(existsSync(join(folder, 'theirs'))).toBe(true));
    const shell = Number(readFileSync(root.outside('/run/installer/lock'), 'utf8').split(/\s/).at(-3));
    const startedAt = performance.now();
    const told: { readonly atMs: number; readonly what: LockHolder | 'taken' }[] = [];
    const tell = (what: LockHolder | 'taken'): void => {
      told.push({ atMs: performance.now() - startedAt, what });
    };

    const result = await host.apply(
      input([writes('ours')], { lockTimeoutSeconds: 20, lockWatch: { onWait: tell, onTaken: () => tell('taken') } }),
    );

    expect(told).toMatchObject([
      { what: { what: 'run 0a1b (install-runtime)', pid: shell, seconds: expect.any(Number) as number } },
      { what: 'taken' },
    ]);
    const [waits, taken] = told;
    expect(waits?.atMs).toBeGreaterThan(2900);
    expect(waits?.atMs).toBeLessThan(4500);
    // Whole seconds of two readings.
    expect([3, 4]).toContain(waits?.what === 'taken' ? undefined : waits?.what.seconds);
    expect(taken?.atMs).toBeGreaterThan(4000);
    expect(await running).toMatchObject({ status: 'applied' });
    expect(result).toEqual({ status: 'stale' });
  }, 20_000);

  it('names the process where the lock is not free in time, and what to do', async () => {
    const other = createHost('n1', transport);
    await host.observe([generation]);
    await other.observe([generation]);
    const sleep: Action = { kind: 'run', argv: ['sleep', '6'], timeoutSeconds: 10 };
    const running = other.apply(input([writes('theirs'), sleep], { holder: 'run 0a1b (install-runtime)' }));
    await vi.waitFor(() => expect(existsSync(join(folder, 'theirs'))).toBe(true));
    const shell = Number(readFileSync(root.outside('/run/installer/lock'), 'utf8').split(/\s/).at(-3));

    const error: unknown = await host
      .apply(input([writes('ours')], { lockTimeoutSeconds: 4 }))
      .catch((thrown: unknown) => thrown);

    expect(error).toMatchObject({
      code: 'HOST_LOCKED',
      message: expect.stringContaining(`within 4 s: run 0a1b (install-runtime), process ${shell}, since `) as string,
      remedy: expect.stringContaining(`kill ${shell}`) as string,
    });
    expect(existsSync(join(folder, 'ours'))).toBe(false);
    expect(await running).toMatchObject({ status: 'applied' });
  }, 20_000);

  it('keeps its folders from other users', async () => {
    await host.observe([generation]);
    await host.apply(input([]));

    expect(['/run/installer', '/var/lib/installer'].map((path) => statSync(root.outside(path)).mode & 0o777)).toEqual([
      0o700, 0o700,
    ]);
  });

  it('does all or nothing of a script that was cut off on its way', async () => {
    await host.observe([generation]);
    const current = (await host.observeOnce([generation]))(generation);
    if (current.state !== 'present') throw new Error(current.state);
    const script = compileScript({
      nonce: 'i00',
      queries: [fileQuery('/etc/hostname')],
      apply: {
        actions: [writes('first'), writes('second'), { kind: 'remove', path: join(folder, 'kept') }],
        secrets: new Map(),
        holder: 'x',
        lockTimeoutSeconds: 1,
        expectedGeneration: current.value.content?.trim() ?? '',
      },
    });
    writeFileSync(join(folder, 'kept'), '');
    const end = script.lastIndexOf('main </dev/null');
    const cuts = [...Array.from({ length: 40 }, (_, index) => Math.floor((end * index) / 40)), end - 1, end, end + 3];

    for (const cut of cuts) {
      await runScript([...root.command, namedSh(binary, root.folder)], script.slice(0, cut));
      expect([existsSync(join(folder, 'first')), existsSync(join(folder, 'kept')), cut]).toEqual([false, true, cut]);
    }
    await runScript([...root.command, namedSh(binary, root.folder)], script);
    expect([existsSync(join(folder, 'second')), existsSync(join(folder, 'kept'))]).toEqual([true, false]);
  });

  it('ends before the next action where nobody listens any more', async () => {
    await host.observe([generation]);
    const current = (await host.observeOnce([generation]))(generation);
    const script = compileScript({
      nonce: 'i00',
      queries: [],
      apply: {
        actions: [{ kind: 'run', argv: ['sleep', '1'], timeoutSeconds: 5 }, writes('second')],
        secrets: new Map(),
        holder: 'x',
        lockTimeoutSeconds: 1,
        expectedGeneration: current.state === 'present' ? (current.value.content?.trim() ?? '') : '0',
      },
    });
    const argv = [...root.command, namedSh(binary, root.folder), '-s'];
    const child = spawn(argv[0] ?? '', argv.slice(1), { stdio: 'pipe' });
    child.stdout.once('data', () => {
      child.stdout.destroy();
      child.stderr.destroy();
    });
    child.stdin.end(script);

    const ended = await new Promise((resolve) => child.once('exit', (code, signal) => resolve(signal ?? code)));

    expect(ended).not.toBe(0);
    expect(existsSync(join(folder, 'second'))).toBe(false);
  });
});

describe('a host whose transport answers by hand', () => {
  const file = fileQuery('/etc/x');

  function hostThat(answer: (script: string) => Partial<ExecResult>, records: CommandRecord[] = []): Host {
    const transport: Transport = {
      description: 'by hand',
      privilege: 'root',
      trips: 0,
      exec: (script) => {
        const base = {
          exitCode: 0,
          signal: undefined,
          stdout: '',
          stderr: '',
          durationMs: 1,
          bytesSent: 1,
          bytesReceived: 1,
        };
        return Promise.resolve({ ...base, ...answer(script) });
      },
      close: () => Promise.resolve(),
    };
    return createHost('n1', transport, (record) => records.push(record));
  }

  const nonceOf = (script: string): string => /^N=(\w+)$/m.exec(script)?.[1] ?? '';

  it('says that a script did not run, with the end of what it printed', async () => {
    const host = hostThat(() => ({ exitCode: 2, stdout: 'Welcome\n', stderr: 'sh: not found\n' }));

    await expect(host.observe([file])).rejects.toMatchObject({
      code: 'SCRIPT_FAILED',
      host: 'n1',
      details: ['Welcome', 'sh: not found'],
    });
  });

  it('takes an action whose end did not arrive for one with an unknown outcome', async () => {
    const host = hostThat((script) => ({ exitCode: undefined, stdout: `\n${nonceOf(script)} A 0\nhalf` }));

    expect(
      await host.apply({
        actions: [{ kind: 'remove', path: '/x' }],
        secrets: new Map(),
        look: [],
        holder: 'x',
        lockTimeoutSeconds: 1,
        timeoutMs: 1000,
      }),
    ).toEqual({ status: 'failed', failed: { index: 0, exitCode: undefined, output: 'half' } });
  });

  it('records every script by what it does, without its secrets', async () => {
    const records: CommandRecord[] = [];
    const host = hostThat((script) => ({ stdout: `\n${nonceOf(script)} Z\n` }), records);
    const write: Action = { kind: 'write-file', path: '/x', content: '{{secret:token}}', mode: '600' };
    const rest = { look: [], holder: 'x', lockTimeoutSeconds: 1, timeoutMs: 1 };

    await host.observe([file]);
    await host.apply({ actions: [write], secrets: new Map([['token', 'hush-hush']]), ...rest }).catch(() => undefined);

    expect(records.map(({ summary }) => summary)).toEqual(['look: 1 queries', 'apply: write /x (600)']);
  });

  it('refuses a question that was not declared', async () => {
    const host = hostThat((script) => ({ stdout: `\n${nonceOf(script)} Z\n` }));
    const other: Query = commandQuery(['id']);

    const seen = await host.observe([file]);

    expect(() => seen(other)).toThrow(InternalError);
  });

  it.each([
    ['SSH_CONNECTION_LOST', true],
    ['SSH_TIMEOUT', true],
    ['SSH_REFUSED', false],
  ])('%s means that the outcome is unknown: %s', (code, expected) => {
    expect(isOutcomeUnknown(new InstallerError({ code, message: 'x' }))).toBe(expected);
  });
});
