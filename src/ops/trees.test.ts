import { chmodSync, existsSync, mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { eachOnHostRoot } from '../../test/support/host-root-cases.ts';
import { canMakeHostRoot, shells } from '../../test/support/shells.ts';
import { type ApplyResult, type Host } from '../hosts/host.ts';
import type { Action } from './action.ts';
import { hostPaths } from './host-paths.ts';
import { treesQuery } from './query.ts';
import { parseTrees, type TreesSeen } from './trees.ts';

describe('parseTrees', () => {
  it('reads what is left and what is mounted', () => {
    expect(parseTrees('left=/var/lib/etcd\nmounted=/var/lib/a b\nx\n')).toEqual({
      left: ['/var/lib/etcd'],
      mounted: ['/var/lib/a b'],
    });
  });
});

describe.skipIf(!canMakeHostRoot).each(shells)('trees under $name (needs root and mount namespaces)', ({ binary }) => {
  let host: Host;
  let top: string;

  eachOnHostRoot(binary, (given) => {
    ({ host, folder: top } = given);
  });

  async function apply(...actions: readonly Action[]): Promise<ApplyResult> {
    host.forget();
    await host.observe([{ kind: 'file', path: hostPaths.generation, content: false }]);
    const more = { secrets: new Map<string, string>(), look: [], holder: 'a test' };
    return host.apply({ actions, ...more, lockTimeoutSeconds: 2, timeoutMs: 20_000 });
  }

  async function look(...paths: readonly string[]): Promise<TreesSeen | undefined> {
    const query = treesQuery(paths);
    const answer = (await host.observeOnce([query]))(query);
    return answer.state === 'present' ? answer.value : undefined;
  }

  const run = (...argv: readonly string[]): Action => ({ kind: 'run', argv, timeoutSeconds: 5 });
  const mount = (path: string): Action => run('mount', '-t', 'tmpfs', 'none', path);
  const clear = (...paths: readonly string[]): Action => ({ kind: 'clear', paths });
  const record = (...paths: readonly string[]): Action => ({ kind: 'record', thing: { kind: 'folders', paths } });

  function fill(...names: readonly string[]): void {
    for (const name of names) {
      mkdirSync(dirname(join(top, name)), { recursive: true });
      writeFileSync(join(top, name), 'x');
    }
  }

  it('go with all in them, where nobody else has anything there', async () => {
    fill('a/b/c', 'a/.hidden', 'a/..odd', 'beside');

    expect(await look(join(top, 'a'), join(top, 'none'))).toEqual({ left: [join(top, 'a')], mounted: [] });
    expect(await apply(clear(join(top, 'a'), join(top, 'none')))).toMatchObject({ status: 'applied' });

    expect(readdirSync(top)).toEqual(['beside']);
    expect(await look(join(top, 'a'))).toEqual({ left: [], mounted: [] });
  });

  it('leave what was in them when they were recorded, and get their mode back', async () => {
    fill('a/own', 'a/sub/own');
    mkdirSync(join(top, 'empty'));
    chmodSync(join(top, 'a'), 0o711);
    await apply(record(join(top, 'a'), join(top, 'empty'), join(top, 'later')));
    fill('a/new', 'a/.new', 'a/sub/new', 'empty/new/x', 'later/new');
    chmodSync(join(top, 'a'), 0o700);
    await apply(record(join(top, 'a'), join(top, 'later')));

    await apply(clear(join(top, 'a'), join(top, 'empty'), join(top, 'later')));

    expect(readdirSync(top, { recursive: true }).toSorted()).toEqual(['a', 'a/own', 'a/sub', 'a/sub/own', 'empty']);
    expect(statSync(join(top, 'a')).mode & 0o777).toBe(0o711);
    expect(await look(join(top, 'a'), join(top, 'empty'))).toEqual({ left: [], mounted: [] });
  });

  it('leave large ones and odd names as a whole', async () => {
    fill('a/odd/line\nbreak', 'a/own');
    await apply(record(join(top, 'a')));
    fill('a/odd/new', 'a/new');

    await apply(clear(join(top, 'a')));

    expect(readdirSync(join(top, 'a')).toSorted()).toEqual(['odd', 'own']);
    expect(readdirSync(join(top, 'a/odd')).toSorted()).toEqual(['line\nbreak', 'new']);
  });

  it('that are mount points are emptied, but for lost+found, and stay', async () => {
    const path = join(top, 'disk');
    mkdirSync(path);
    await apply(mount(path), run('mkdir', '-p', join(path, 'lost+found'), join(path, 'member/lost+found')));

    expect((await look(path))?.left).toEqual([path]);
    expect(await apply(clear(path))).toMatchObject({ status: 'applied' });

    expect(await look(path)).toEqual({ left: [], mounted: [] });
    expect(await apply(run('mountpoint', path), run('rmdir', join(path, 'lost+found')))).toMatchObject({
      status: 'applied',
    });
  });

  it('leave what is mounted below them, also where it is a folder of the same file system, and the way there', async () => {
    const [disk, bound] = [join(top, 'a/on the/disk'), join(top, 'a/bound')];
    fill('a/x', 'a/on the/x', 'source/kept');
    mkdirSync(disk);
    mkdirSync(bound);
    await apply(mount(disk), run('touch', join(disk, 'kept')), run('mount', '--bind', join(top, 'source'), bound));

    expect(await look(join(top, 'a'))).toEqual({ left: [join(top, 'a')], mounted: [disk, bound] });
    expect(await apply(clear(join(top, 'a')))).toMatchObject({ status: 'applied' });

    expect(existsSync(join(top, 'source/kept'))).toBe(true);
    expect(await apply(run('test', '-e', join(disk, 'kept')))).toMatchObject({ status: 'applied' });
    expect(readdirSync(join(top, 'a')).toSorted()).toEqual(['bound', 'on the']);
    expect(readdirSync(join(top, 'a/on the'))).toEqual(['disk']);
    expect(await look(join(top, 'a'))).toEqual({ left: [], mounted: [disk, bound] });
  });

  it('that are links to folders are emptied, and the link stays', async () => {
    fill('elsewhere/x', 'beside');
    symlinkSync('elsewhere', join(top, 'a'));
    symlinkSync('beside', join(top, 'b'));

    await apply(clear(join(top, 'a'), join(top, 'b')));

    expect(readdirSync(top).toSorted()).toEqual(['a', 'beside', 'elsewhere']);
    expect(readdirSync(join(top, 'a'))).toEqual([]);
    expect((await look(join(top, 'a')))?.left).toEqual([]);
  });

  it('say what could not be taken away', async () => {
    fill('a/x');
    await apply(mount(join(top)));

    expect(await apply(run('mkdir', '-p', join(top, 'a')), run('mount', '-o', 'remount,ro', top))).toMatchObject({
      status: 'applied',
    });
    expect(await apply(clear(join(top, 'a')))).toMatchObject({ status: 'failed' });
  });

  it('go where they are empty and were not there before, and only so', async () => {
    mkdirSync(join(top, 'own/empty'), { recursive: true });
    await apply(record(join(top, 'own'), join(top, 'made')));
    mkdirSync(join(top, 'made/empty'), { recursive: true });
    fill('half/full/x');
    mkdirSync(join(top, 'half/empty'));

    await apply({ kind: 'clear', paths: ['own', 'made', 'half'].map((name) => join(top, name)), onlyEmpty: true });

    expect(readdirSync(top, { recursive: true }).toSorted()).toEqual([
      'half',
      'half/full',
      'half/full/x',
      'own',
      'own/empty',
    ]);
  });

  it('unmounts what begins so, but for what fstab mounts', async () => {
    const paths = ['pods/a', 'pods/a/b', 'pods/own', 'podsother'].map((name) => join(top.replace(' ', ''), name));
    const fstab = join(top, 'fstab');
    writeFileSync(fstab, `none ${paths[2] ?? ''} tmpfs defaults 0 0\n`);
    const mounts = paths.flatMap((path): Action[] => [{ kind: 'directory', path, mode: '755' }, mount(path)]);
    await apply(run('mount', '--bind', fstab, '/etc/fstab'), ...mounts);

    const unmount: Action = { kind: 'unmount', prefixes: [`${top.replace(' ', '')}/pods/`] };
    expect(await apply(unmount)).toMatchObject({ status: 'applied' });

    const { mounted } = (await look(top.replace(' ', ''))) ?? { mounted: [] };
    expect(mounted).toEqual([paths[2], paths[3]]);
    await apply(run('umount', '/etc/fstab'), ...mounted.map((path) => run('umount', path)));
  });
});
