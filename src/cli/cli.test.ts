import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runTestCli } from '../../test/support/cli.ts';
import { hostFinished, hostStarted, runFinished, runStarted } from '../../test/support/run-events.ts';
import { programVersion } from '../assets.ts';
import { checks } from '../checks/index.ts';
import { InstallerError, InstallerErrors, InternalError } from '../errors.ts';
import { createLimiter } from '../lib/concurrency.ts';
import { clusterCreatePhases } from '../workflows/cluster-create.ts';
import type { ClusterCreateOptions, ResetOptions } from './context.ts';

const done = Promise.resolve({ exitCode: 0 } as const);

describe('help and version', () => {
  it('prints the version as the result', async () => {
    expect(await runTestCli(['--version'])).toEqual({ exitCode: 0, stdout: `${programVersion}\n`, stderr: '' });
  });

  it.each([
    ['--help'],
    ['help', 'reset'],
    ['help', 'prepare'],
    ['restore-host', '--help'],
    ['cluster-create', '--help'],
    ['reset', '-h'],
    ['precheck', '--help'],
    ['diff', '--help'],
    ['config', 'validate', '--help'],
  ])('shows help with examples for %s %s %s', async (...args) => {
    const { exitCode, stdout, stderr } = await runTestCli(args.filter((arg) => typeof arg === 'string'));

    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^Usage: installer[\s\S]*\nExamples:\n {2}\$ installer /);
    expect(stderr).toBe('');
  });

  it('names checks and phases in examples that there are, and no default that says nothing', async () => {
    const { stdout } = await runTestCli(['cluster-create', '--help']);
    const named = (option: string): string[] =>
      [...stdout.matchAll(new RegExp(`${option} ([a-z-]+)`, 'g'))].flatMap((match) => match[1] ?? []);

    expect(checks.map(({ id }) => id)).toEqual(expect.arrayContaining(named('--ignore-check')));
    const phases = clusterCreatePhases(createLimiter(1), 'r1', 'kubeconfig').map(({ id }) => id);
    expect(phases).toEqual(expect.arrayContaining(named('--skip-phase')));
    expect([named('--ignore-check').length, named('--skip-phase').length]).toEqual([1, 1]);
    expect(stdout).not.toMatch(/default: (false|\[\])/);
  });

  it('shows the help, and fails, without a command', async () => {
    const { exitCode, stdout, stderr } = await runTestCli([]);

    expect(exitCode).toBe(2);
    expect(stderr).toContain('Usage: installer');
    expect(stdout).toBe('');
  });
});

describe('wrong use', () => {
  it.each([
    ['an unknown command', ['cluster-creat'], 'Did you mean cluster-create?'],
    ['an unknown option', ['cluster-create', '-c', 'f', '--dry-rum'], 'Did you mean --dry-run?'],
    ['an unknown subcommand', ['config', 'validat'], 'Did you mean validate?'],
    ['a missing cluster file', ['cluster-create'], "required option '-c, --config <file>' not specified"],
    ['a missing confirmation', ['reset', '-c', 'f'], "required option '--confirm <name>' not specified"],
    ['a count that is none', ['cluster-create', '-c', 'f', '--concurrency', '0'], 'whole number from 1'],
    [
      'an unknown output',
      ['cluster-create', '-c', 'f', '--output', 'xml'],
      'Allowed choices are auto, tty, plain, json',
    ],
    ['a key for no bundle', ['precheck', '-c', 'f', '--key', 'k'], '--key and --signature go with --bundle'],
    ['an empty phase', ['cluster-create', '-c', 'f', '--skip-phase', 'a,'], 'An id is empty'],
  ])('%s ends with 2 and says what is meant', async (_name, args, text) => {
    const { exitCode, stdout, stderr } = await runTestCli(args);

    expect(exitCode).toBe(2);
    expect(stderr).toContain(text);
    expect(stdout).toBe('');
  });
});

describe('options', () => {
  async function createWith(...args: readonly string[]): Promise<ClusterCreateOptions | undefined> {
    let seen: ClusterCreateOptions | undefined;
    await runTestCli(['cluster-create', ...args], { clusterCreate: (options) => ((seen = options), done) });
    return seen;
  }

  it('name a bundle and how its signature is judged', async () => {
    const seen = await createWith('-c', 'f', '--bundle', 'site.tar', '--key', 'k.pub', '--signature', 'always');

    expect(seen?.bundle).toEqual({ path: 'site.tar', keyFile: 'k.pub', policy: 'always' });
  });

  it('have defaults', async () => {
    expect(await createWith('-c', 'f.yaml')).toEqual({
      configFile: 'f.yaml',
      dryRun: false,
      concurrency: 100,
      skipPhases: [],
      verifyContent: false,
      ignoreChecks: [],
      runId: expect.stringMatching(/^[0-9a-f]{8}$/) as string,
    });
  });

  it('reach the workflow', async () => {
    const options = await createWith(
      ...['--clusterConfig', 'f.yaml', '--dry-run', '--concurrency', '7', '--verify-content', '--log-file', '/l'],
      ...['--skip-phase', 'a,b', '--skip-phase', 'c', '--ignore-check', 'd', 'e'],
    );

    expect(options).toMatchObject({
      configFile: 'f.yaml',
      dryRun: true,
      concurrency: 7,
      skipPhases: ['a', 'b', 'c'],
      verifyContent: true,
      ignoreChecks: ['d', 'e'],
      logFile: '/l',
    });
  });

  it('of reset reach the workflow', async () => {
    let seen: ResetOptions | undefined;
    await runTestCli(['reset', '-c', 'f.yaml', '--confirm', 'prod'], { reset: (options) => ((seen = options), done) });

    expect(seen).toMatchObject({ configFile: 'f.yaml', confirm: 'prod', dryRun: false, concurrency: 100 });
  });

  it('of prepare and restore-host reach their workflows', async () => {
    const seen: unknown[] = [];
    const note = (options: unknown): typeof done => (seen.push(options), done);
    await runTestCli(['prepare', '-c', 'f.yaml', '--dry-run', '--ignore-check', 'a,b'], { prepare: note });
    await runTestCli(['restore-host', '-c', 'f.yaml', '--host', 'w1', '--host', 'w2', '--concurrency', '7'], {
      restoreHost: note,
    });

    expect(seen).toMatchObject([
      { configFile: 'f.yaml', dryRun: true, concurrency: 100, ignoreChecks: ['a', 'b'] },
      { configFile: 'f.yaml', dryRun: false, concurrency: 7, hosts: ['w1', 'w2'] },
    ]);
  });

  it('for the output may stand before and after the command', async () => {
    const workflows = {
      clusterCreate: (_options: unknown, emitter: { emit: (body: ReturnType<typeof runStarted>) => void }) => {
        emitter.emit(runStarted());
        return done;
      },
    };
    const before = await runTestCli(['--output', 'json', 'cluster-create', '-c', 'f'], workflows);
    const after = await runTestCli(['cluster-create', '-c', 'f', '--output', 'json'], workflows);

    expect(JSON.parse(before.stdout)).toMatchObject({ type: 'run.started', seq: 1 });
    expect(after.stdout).toBe(before.stdout);
  });
});

describe('the end of a run', () => {
  it('has the exit code of its outcome, its progress on stderr and nothing on stdout', async () => {
    const { exitCode, stdout, stderr } = await runTestCli(['cluster-create', '-c', 'f'], {
      clusterCreate: (_options, emitter) => {
        emitter.emit(runStarted());
        emitter.emit(runFinished({ status: 'partly' }));
        return Promise.resolve({ exitCode: 5 });
      },
    });

    expect(exitCode).toBe(5);
    expect(stdout).toBe('');
    expect(stderr).toContain('cluster-create prod: partly done');
  });

  it('tells an expected error with its remedy and details, and has its exit code', async () => {
    const error = new InstallerError({
      code: 'SSH_AUTH_FAILED',
      message: 'login refused',
      host: 'w1',
      remedy: 'Check spec.ssh.',
      details: ['tried: publickey'],
    });
    const { exitCode, stderr } = await runTestCli(['cluster-create', '-c', 'f'], {
      clusterCreate: () => Promise.reject(error),
    });

    expect(exitCode).toBe(4);
    expect(stderr).toBe('Error: w1: login refused [SSH_AUTH_FAILED]\n  do: Check spec.ssh.\n  | tried: publickey\n');
  });

  it('tells several errors and has the exit code of the first', async () => {
    const errors = ['a', 'b'].map((message) => new InstallerError({ code: 'X', message, exitCode: 2 }));
    const { exitCode, stderr } = await runTestCli(['config', 'validate', '-c', 'f'], {
      validateConfig: () => Promise.reject(new InstallerErrors(errors)),
    });

    expect(exitCode).toBe(2);
    expect(stderr).toBe('Error: a [X]\nError: b [X]\n');
  });

  it('calls anything else a defect and puts its stack into the run log', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'cli-'));
    const file = join(folder, 'log.jsonl');
    const { exitCode, stderr } = await runTestCli(['cluster-create', '-c', 'f', '--log-file', file], {
      clusterCreate: () => Promise.reject(new InternalError('no such phase')),
    });
    const log = readFileSync(file, 'utf8');
    rmSync(folder, { recursive: true });

    expect(exitCode).toBe(1);
    expect(stderr).toContain(
      `this is a defect of the installer: no such phase [INTERNAL]\n  do: report it with the log`,
    );
    expect(stderr).not.toContain('    at ');
    expect(log).toMatch(/"message":"InternalError: no such phase\\n +at /);
  });

  it('reports the cluster that a valid file describes', async () => {
    const validateConfig = (): Promise<string> => Promise.resolve('prod');

    expect(await runTestCli(['config', 'validate', '-c', 'f.yaml'], { validateConfig })).toEqual({
      exitCode: 0,
      stdout: 'f.yaml: cluster prod is valid\n',
      stderr: '',
    });
  });
});

describe('an interrupted run', () => {
  const interruption = new InstallerError({ code: 'INTERRUPTED', message: 'Interrupted by SIGTERM', exitCode: 143 });

  it.each([
    ['gives a bad outcome', () => Promise.resolve({ exitCode: 4 } as const)],
    ['throws the reason', () => Promise.reject(interruption)],
    ['throws a consequence', () => Promise.reject(new DOMException('aborted', 'AbortError'))],
  ])('that %s ends with the code of the signal', async (_name, end) => {
    const controller = new AbortController();
    const { exitCode, stderr } = await runTestCli(
      ['cluster-create', '-c', 'f'],
      {
        clusterCreate: () => {
          controller.abort(interruption);
          return end();
        },
      },
      { signal: controller.signal },
    );

    expect(exitCode).toBe(143);
    expect(stderr).toContain('waiting for what is running to end');
    expect(stderr).not.toContain('defect');
  });

  it('that was done all the same ends well', async () => {
    const controller = new AbortController();
    const clusterCreate = (): typeof done => {
      controller.abort(interruption);
      return done;
    };

    const given = { signal: controller.signal };
    expect((await runTestCli(['cluster-create', '-c', 'f'], { clusterCreate }, given)).exitCode).toBe(0);
  });

  it('knows the hosts that are being worked on', async () => {
    let busy: readonly string[] = [];
    let lookUp: () => readonly string[] = () => [];
    await runTestCli(
      ['cluster-create', '-c', 'f'],
      {
        clusterCreate: (_options, emitter) => {
          for (const host of ['w1', 'w2']) emitter.emit(hostStarted('prepare-hosts', host));
          emitter.emit(hostFinished('prepare-hosts', 'w1', 0));
          busy = lookUp();
          return done;
        },
      },
      { setBusyHosts: (hosts) => (lookUp = hosts) },
    );

    expect(busy).toEqual(['w2']);
  });
});

describe('asset', () => {
  it('is not in the help', async () => {
    expect((await runTestCli(['--help'])).stdout).not.toContain('asset');
  });

  it('refuses a path that is not listed', async () => {
    const { exitCode, stderr } = await runTestCli(['asset', '../package.json']);

    expect(exitCode).toBe(2);
    expect(stderr).toContain('There is no asset ../package.json');
  });
});
