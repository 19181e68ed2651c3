import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { eachOnHostRoot } from '../../test/support/host-root-cases.ts';
import { canMakeHostRoot, shells } from '../../test/support/shells.ts';
import { InternalError } from '../errors.ts';
import { type ApplyResult, type Host } from '../hosts/host.ts';
import { describeAction, type Action, type WriteFileAction } from './action.ts';
import { renderLongBody, compileAction } from './compile-action.ts';
import { secretPlaceholder } from './secrets.ts';

describe.skipIf(!canMakeHostRoot).each(shells)(
  'an action under $name (needs root and mount namespaces)',
  ({ binary }) => {
    let host: Host;
    let folder: string;

    eachOnHostRoot(binary, (given) => {
      ({ host, folder } = given);
    });

    async function apply(actions: readonly Action[], secrets: Record<string, string> = {}): Promise<ApplyResult> {
      host.forget();
      await host.observe([{ kind: 'file', path: '/run/installer/generation', content: false }]);
      const result = await host.apply({
        actions,
        secrets: new Map(Object.entries(secrets)),
        look: [],
        holder: 'a test',
        lockTimeoutSeconds: 2,
        timeoutMs: 20_000,
      });
      return result;
    }

    const applied = { status: 'applied' };

    function failure(exitCode: number, output = ''): object {
      return { status: 'failed', failed: { exitCode, output: expect.stringContaining(output) as string } };
    }

    function write(path: string, content: string, mode = '644'): WriteFileAction {
      return { kind: 'write-file', path, content, mode };
    }

    function modeOf(path: string): string {
      return (statSync(path).mode & 0o7777).toString(8);
    }

    describe('write-file', () => {
      it.each([
        ['quotes, dollars and backslashes', `it's "$HOME" \`id\` \\n %s $(id)`],
        ['newlines at both ends', '\n\na\nb\n\n'],
        ['nothing', ''],
        ['no newline at the end', 'abc'],
        ['text beyond ASCII', 'é ✓ 漢字\n'],
        ['a leading dash and a percent sign', '-n %d %%\n'],
        ['more than an argument list may hold', '0123456789abcde\n'.repeat(20_000)],
      ])('writes %s as it is', async (_name, content) => {
        const path = join(folder, "it's", 'new');

        expect(await apply([write(path, content, '640')])).toMatchObject(applied);
        expect(readFileSync(path, 'utf8')).toBe(content);
        expect(modeOf(path)).toBe('640');
        expect(existsSync(`${path}.installer-new`)).toBe(false);
      });

      it('replaces the file by a new one, so that readers see the old or the new text and never half', async () => {
        const path = join(folder, 'file');
        writeFileSync(path, 'old');
        const before = statSync(path).ino;

        await apply([write(path, 'new', '600')]);

        expect(readFileSync(path, 'utf8')).toBe('new');
        expect(statSync(path).ino).not.toBe(before);
        expect(modeOf(path)).toBe('600');
      });

      it('writes through a link to the file that it names', async () => {
        writeFileSync(join(folder, 'target'), 'old');
        symlinkSync('target', join(folder, 'link'));

        await apply([write(join(folder, 'link'), 'new')]);

        expect(lstatSync(join(folder, 'link')).isSymbolicLink()).toBe(true);
        expect(readFileSync(join(folder, 'target'), 'utf8')).toBe('new');
      });

      it('writes into a file that is a mount of its own and cannot be renamed over', async () => {
        const path = join(folder, 'hosts');
        writeFileSync(path, 'old');
        const mount: Action = { kind: 'run', argv: ['mount', '--bind', path, path], timeoutSeconds: 5 };
        const unmount: Action = { kind: 'run', argv: ['umount', path], timeoutSeconds: 5 };

        expect(await apply([mount, write(path, 'new', '600'), unmount])).toMatchObject(applied);
        expect(readFileSync(path, 'utf8')).toBe('new');
        expect(modeOf(path)).toBe('600');
        expect(existsSync(`${path}.installer-new`)).toBe(false);
      });

      it('fills secrets in', async () => {
        const path = join(folder, 'config');

        await apply([write(path, `token: ${secretPlaceholder('join-token')}\n`, '600')], { 'join-token': `a'b$c` });

        expect(readFileSync(path, 'utf8')).toBe(`token: a'b$c\n`);
      });

      it('writes into no device, to which a masked unit leads', async () => {
        symlinkSync('/dev/null', join(folder, 'masked.service'));

        expect(await apply([write(join(folder, 'masked.service'), 'x')])).toMatchObject(
          failure(1, '/dev/null is not a regular file'),
        );
        expect(statSync('/dev/null').isCharacterDevice()).toBe(true);
      });

      it('fails, and says so, where the path is a folder in the way', async () => {
        writeFileSync(join(folder, 'file'), '');

        expect(await apply([write(join(folder, 'file', 'below'), 'x')])).toMatchObject(failure(1, 'mkdir'));
      });
    });

    describe('remove and directory', () => {
      it('removes files and whole folders, and minds nothing that is absent', async () => {
        mkdirSync(join(folder, 'tree/deep'), { recursive: true });
        writeFileSync(join(folder, 'tree/deep/-rf'), '');
        const paths = ['tree', 'absent'].map((name) => join(folder, name));

        expect(await apply(paths.map((path): Action => ({ kind: 'remove', path })))).toMatchObject(applied);
        expect(existsSync(join(folder, 'tree'))).toBe(false);
      });

      it('leaves alone what is mounted below', async () => {
        const inner = join(folder, 'tree/mounted');
        mkdirSync(inner, { recursive: true });
        const mount: Action = { kind: 'run', argv: ['mount', '-t', 'tmpfs', 'none', inner], timeoutSeconds: 5 };
        const touch: Action = { kind: 'run', argv: ['touch', join(inner, 'kept')], timeoutSeconds: 5 };
        const look: Action = { kind: 'run', argv: ['test', '-e', join(inner, 'kept')], timeoutSeconds: 5 };
        const remove: Action = { kind: 'remove', path: join(folder, 'tree') };

        expect(await apply([mount, touch, remove])).toMatchObject(failure(1, 'skipping'));
        expect(await apply([look])).toMatchObject(applied);
      });

      it('unmounts what is mounted below a folder, deepest first, and nothing beside it', async () => {
        const inside = ['mnt/a', 'mnt/a/b', 'mnt.d'].map((name) => join(folder.replace(' ', '-'), name));
        const mounts = inside.flatMap((path): Action[] => [
          { kind: 'directory', path, mode: '755' },
          { kind: 'run', argv: ['mount', '-t', 'tmpfs', 'none', path], timeoutSeconds: 5 },
        ]);
        const isMounted = (path: string): Action => ({ kind: 'run', argv: ['mountpoint', path], timeoutSeconds: 5 });
        const below: Action = { kind: 'unmount', prefixes: [`${join(folder.replace(' ', '-'), 'mnt')}/`] };

        expect(await apply([...mounts, below])).toMatchObject(applied);
        expect(await apply([isMounted(inside[0] ?? '')])).toMatchObject({ status: 'failed' });
        expect(await apply([isMounted(inside[2] ?? '')])).toMatchObject(applied);
        expect(await apply([below])).toMatchObject(applied);
      });

      it('makes a folder with its mode, also where it is there with another', async () => {
        const path = join(folder, 'a/b');
        mkdirSync(path, { recursive: true });
        chmodSync(path, 0o777);

        await apply([{ kind: 'directory', path, mode: '700' }]);

        expect(modeOf(path)).toBe('700');
      });
    });

    describe('run', () => {
      const run = (argv: readonly string[], more: Partial<Extract<Action, { kind: 'run' }>> = {}): Action => ({
        kind: 'run',
        argv,
        timeoutSeconds: 5,
        ...more,
      });

      it('gives a command its arguments as they are, its input and its environment', async () => {
        const out = join(folder, 'out');
        const script = 'printf "%s|" "$@" "$X" >"$OUT"; cat >>"$OUT"';
        const argv = ['sh', '-c', script, 'sh', 'a b', "it's", '$HOME', '', '*'];

        await apply(
          [run(argv, { stdin: `in ${secretPlaceholder('pw')}\n`, env: { X: secretPlaceholder('pw'), OUT: out } })],
          {
            pw: `p'w`,
          },
        );

        expect(readFileSync(out, 'utf8')).toBe(`a b|it's|$HOME||*|p'w|in p'w\n`);
      });

      it('fails with the exit status and the output of the command', async () => {
        const result = await apply([run(['sh', '-c', 'echo out; echo err >&2; exit 7'])]);

        expect(result).toEqual({ status: 'failed', failed: { index: 0, exitCode: 7, output: 'out\nerr' } });
      });

      it('keeps the end of a long output', async () => {
        const result = await apply([run(['sh', '-c', 'seq 1 100; exit 1'])]);

        if (result.status !== 'failed') throw new Error(result.status);
        expect(result.failed.output.split('\n')).toHaveLength(25);
        expect(result.failed.output).toMatch(/^76\n[\s\S]*\n100$/);
      });

      it.each([
        [0, applied],
        [1, applied],
        [5, { status: 'failed', failed: { exitCode: 5 } }],
      ])('that accepts 0 and 1 takes exit status %i as it should', async (status, expected) => {
        expect(await apply([run(['sh', '-c', `exit ${status}`], { okExitCodes: [0, 1] })])).toMatchObject(expected);
      });

      it('fails with 127 where the command is missing, and with 124 where it takes too long', async () => {
        expect(await apply([run(['no-such-command'])])).toMatchObject(failure(127, 'no-such-command'));
        expect(await apply([run(['sleep', '20'], { timeoutSeconds: 1 })])).toMatchObject(failure(124));
      });

      it('that fails stops the actions behind it', async () => {
        const first = join(folder, 'first');
        const third = join(folder, 'third');

        const result = await apply([write(first, ''), run(['false']), write(third, '')]);

        expect(result).toMatchObject({ status: 'failed', failed: { index: 1, exitCode: 1 } });
        expect([existsSync(first), existsSync(third)]).toEqual([true, false]);
      });
    });

    describe('the commands of a unit', () => {
      const unit = (commands: string[], parallel: number): Action => ({
        kind: 'run',
        argv: [
          'sh',
          '-c',
          renderLongBody({
            commands: commands.map((text) => ['sh', '-c', `cd "$1"; ${text}`, 'sh', folder]),
            parallel,
          }),
        ],
        timeoutSeconds: 10,
      });

      it('run beside each other where that is asked for', async () => {
        // Each one ends only when the other one runs.
        const meet = (own: string, other: string): string => `touch ${own}; until [ -e ${other} ]; do sleep 0.05; done`;

        expect(await apply([unit([meet('a', 'b'), meet('b', 'a'), 'touch "it\'s done"'], 2)])).toMatchObject(applied);
        expect(existsSync(join(folder, "it's done"))).toBe(true);
      });

      it.each([1, 2])('stop at the first failure, %i at a time', async (parallel) => {
        const result = await apply([unit(['echo broken; exit 3', 'sleep 0.3', 'touch later', 'touch last'], parallel)]);

        expect(result).toMatchObject({
          status: 'failed',
          failed: { output: expect.stringContaining('broken') as string },
        });
        expect(existsSync(join(folder, 'last'))).toBe(false);
      });
    });

    describe('wait', () => {
      const wait = (argv: readonly string[], timeoutSeconds: number): Action => ({
        kind: 'wait',
        description: 'the thing answers',
        argv,
        timeoutSeconds,
        intervalSeconds: 1,
      });

      it('repeats the command until it succeeds', async () => {
        const tries = join(folder, 'tries');
        const script = 'echo x >>"$1"; [ "$(wc -l <"$1")" -ge 2 ]';

        expect(await apply([wait(['sh', '-c', script, 'sh', tries], 20)])).toMatchObject(applied);
        expect(readFileSync(tries, 'utf8')).toBe('x\nx\n');
      });

      it('fails with the last output when the time is over', async () => {
        const result = await apply([wait(['sh', '-c', 'echo refused >&2; exit 1'], 1)]);

        expect(result).toMatchObject(failure(124, 'refused\nnot the thing answers within 1 s'));
      });
    });
  },
);

describe('the sh of an action', () => {
  const secrets = new Map([['token', 'abcdef.0123456789abcdef']]);

  it.each<[string, Action]>([
    ['run', { kind: 'run', argv: ['kubeadm', 'join', secretPlaceholder('token')], timeoutSeconds: 1 }],
    [
      'long',
      { kind: 'long', unit: 'u', commands: [['true'], ['echo', secretPlaceholder('token')]], timeoutSeconds: 1 },
    ],
  ])('refuses a secret in the arguments of %s', (_kind, action) => {
    expect(() => compileAction(action, secrets)).toThrow(InternalError);
  });

  it('refuses a placeholder that nobody filled', () => {
    const action: Action = { kind: 'write-file', path: '/x', content: secretPlaceholder('other'), mode: '600' };

    expect(() => compileAction(action, secrets)).toThrow('no value for the placeholder of secret "other"');
  });

  it('starts a long action as a unit that outlives the connection, and waits for it', () => {
    const text = compileAction(
      {
        kind: 'long',
        unit: 'installer-c1-init',
        commands: [['kubeadm', 'init', "--a=it's"], ['true']],
        timeoutSeconds: 60,
      },
      secrets,
    );

    expect(text).toContain('long_start installer-c1-init 60 ');
    expect(text).toContain('kubeadm init ');
    expect(text).toContain('exec </dev/null >/run/installer/installer-c1-init.log 2>&1');
    expect(text.trimEnd()).toMatch(/\nlong_wait installer-c1-init$/);
  });

  it('only waits where the plan saw the unit running', () => {
    const action: Action = {
      kind: 'long',
      unit: 'u',
      commands: [['kubeadm', 'init']],
      timeoutSeconds: 60,
      attachOnly: true,
    };

    expect(compileAction(action, secrets)).toBe('long_wait u');
  });

  it.each<[Action, string]>([
    [{ kind: 'service', unit: 'kubelet.service', do: 'restart' }, 'systemctl restart kubelet.service'],
    [{ kind: 'service', unit: '', do: 'daemon-reload' }, 'systemctl daemon-reload'],
  ])('calls systemctl for %j', (action, expected) => {
    expect(compileAction(action, secrets)).toBe(expected);
  });
});

describe('the line for people of an action', () => {
  it.each<[Action, string]>([
    [{ kind: 'write-file', path: '/etc/x', content: '', mode: '644' }, 'write /etc/x (644)'],
    [{ kind: 'remove', path: '/etc/x' }, 'remove /etc/x'],
    [{ kind: 'directory', path: '/etc/x', mode: '755' }, 'make folder /etc/x (755)'],
    [{ kind: 'run', argv: ['swapoff', '-a'], timeoutSeconds: 1 }, 'swapoff -a'],
    [{ kind: 'service', unit: 'a.service', do: 'start' }, 'systemctl start a.service'],
    [{ kind: 'service', unit: '', do: 'daemon-reload' }, 'systemctl daemon-reload'],
    [{ kind: 'long', unit: 'u', commands: [['a', 'b'], ['c']], timeoutSeconds: 1 }, 'a b && c (unit u)'],
    [{ kind: 'unmount', prefixes: ['/mnt/', '/run/netns/cni-'] }, 'unmount /mnt/*, /run/netns/cni-*'],
    [{ kind: 'clear', paths: ['/a', '/b'] }, 'take away /a, /b'],
    [{ kind: 'clear', paths: ['/a'], onlyEmpty: true }, 'take away empty folders of /a'],
    [{ kind: 'record', thing: { kind: 'folders', paths: ['/a'] } }, 'record folders /a'],
    [
      { kind: 'wait', description: 'x is up', argv: ['true'], timeoutSeconds: 1, intervalSeconds: 1 },
      'wait until x is up',
    ],
  ])('names what it does: %j', (action, expected) => {
    expect(describeAction(action)).toBe(expected);
  });
});
