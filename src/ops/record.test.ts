import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { eachOnHostRoot } from '../../test/support/host-root-cases.ts';
import { canMakeHostRoot, shells, type HostRoot } from '../../test/support/shells.ts';
import { type Host } from '../hosts/host.ts';
import type { Action } from './action.ts';
import { hostPaths } from './host-paths.ts';
import type { RecordQuery } from './query.ts';
import { fileEntryId, parseRecord, valueEntryId, type FileEntry, type RecordEntry } from './record.ts';

describe('the name of an entry', () => {
  it.each([
    ['/etc/fstab', 'file:etc:fstab'],
    ['/etc/systemd/system/a@b.service.d/x.conf', 'file:etc:systemd:system:a@b.service.d:x.conf'],
    ['/etc/a:b', 'file:etc:a%3Ab'],
    ['/etc/a%3Ab', 'file:etc:a%253Ab'],
  ])('of %s is %s', (path, id) => {
    expect(fileEntryId(path)).toBe(id);
  });
});

describe('parseRecord', () => {
  it('reads every kind, the latest first', () => {
    const text = [
      'entry=file:etc:fstab', 'order=1', 'kind=file', 'path=/etc/fstab', 'was=file abc 644 0:0', 'after=["systemctl","daemon-reload"]', 'written=def', 'now=file def 600 0:0',
      'entry=file:etc:localtime', 'order=2', 'kind=file', 'path=/etc/localtime', 'was=link ../usr/a b', 'now=absent',
      'entry=value:proc:sys:x', 'order=3', 'kind=value', 'path=/proc/sys/x', 'was=', 'written=1', 'now=1',
      'entry=unit:ufw.service', 'order=4', 'kind=unit', 'unit=ufw.service', 'was=enabled active', 'written=disabled inactive', 'now= inactive',
      'entry=swap', 'order=5', 'kind=swap', 'device=/swap file -2', 'device=/dev/sda2 10', 'active=/dev/sda2', 'there=/swap file',
      'entry=module:br_netfilter', 'order=6', 'kind=module', 'module=br_netfilter', 'uses=2', 'holder=a_b', 'holder=c',
      'entry=module:overlay', 'order=8', 'kind=module', 'module=overlay',
      'entry=packages', 'order=10', 'kind=packages', 'added=socat', 'objection=a needs socat',
      'entry=folders', 'order=11', 'kind=folders', 'there=755 0:0 /opt', 'keep=/opt/x',
      'entry=unit:new.service', 'order=12', 'kind=unit', 'unit=new.service', 'was=not-found inactive', 'now=disabled inactive',
      'entry=packages-removed', 'order=13', 'kind=removed-packages', 'removed=runc 1:1.1-2', 'removed=docker.io 20 hold', 'unit=docker.io docker.service enabled active', 'there=docker.io', 'returning=runc',
      'entry=rubbish', 'order=7',
    ].join('\n'); // prettier-ignore

    expect(parseRecord(`${text}\n`).entries).toEqual([
      {
        ...{ id: 'packages-removed', order: 13, kind: 'removed-packages' },
        packages: [
          { name: 'runc', version: '1:1.1-2', isThere: false, isReturning: true },
          { name: 'docker.io', version: '20', isThere: true, isReturning: false },
        ],
      },
      {
        ...{ id: 'unit:new.service', order: 12, kind: 'unit', unit: 'new.service', written: [] },
        was: { enablement: '', activity: 'inactive' },
        now: { enablement: 'disabled', activity: 'inactive' },
      },
      { id: 'folders', order: 11, kind: 'folders' },
      { id: 'packages', order: 10, kind: 'packages', added: ['socat'], objections: ['a needs socat'] },
      { id: 'module:overlay', order: 8, kind: 'module', module: 'overlay', uses: undefined, holders: [] },
      { id: 'module:br_netfilter', order: 6, kind: 'module', module: 'br_netfilter', uses: 2, holders: ['a_b', 'c'] },
      {
        ...{ id: 'swap', order: 5, kind: 'swap' },
        devices: [
          { device: '/swap file', priority: -2, isActive: false, isThere: true },
          { device: '/dev/sda2', priority: 10, isActive: true, isThere: false },
        ],
      },
      {
        ...{ id: 'unit:ufw.service', order: 4, kind: 'unit', unit: 'ufw.service' },
        was: { enablement: 'enabled', activity: 'active' },
        now: { enablement: '', activity: 'inactive' },
        written: [{ enablement: 'disabled', activity: 'inactive' }],
      },
      { id: 'value:proc:sys:x', order: 3, kind: 'value', path: '/proc/sys/x', was: '', now: '1', written: ['1'] },
      {
        ...{ id: 'file:etc:localtime', order: 2, kind: 'file', path: '/etc/localtime', written: [], after: [] },
        was: { state: 'link', target: '../usr/a b' },
        now: { state: 'absent' },
      },
      {
        ...{ id: 'file:etc:fstab', order: 1, kind: 'file', path: '/etc/fstab', written: ['def'] },
        was: { state: 'file', sha256: 'abc', mode: '644', owner: '0:0' },
        now: { state: 'file', sha256: 'def', mode: '600', owner: '0:0' },
        after: [['systemctl', 'daemon-reload']],
      },
    ]);
  });
});

describe.skipIf(!canMakeHostRoot).each(shells)(
  'a record under $name (needs root and mount namespaces)',
  ({ binary }) => {
    let root: HostRoot;
    let host: Host;
    let folder: string;

    eachOnHostRoot(binary, (given) => {
      ({ root, host, folder } = given);
    });

    async function apply(...actions: readonly Action[]): Promise<void> {
      host.forget();
      await host.observe([{ kind: 'file', path: hostPaths.generation, content: false }]);
      const more = {
        secrets: new Map<string, string>(),
        look: [],
        holder: 'a test',
        lockTimeoutSeconds: 2,
        timeoutMs: 20_000,
      };
      expect(await host.apply({ actions, ...more })).toMatchObject({ status: 'applied' });
    }

    async function entries(packages: RecordQuery['packages'] = nothing): Promise<readonly RecordEntry[]> {
      const query: RecordQuery = { kind: 'record', packages };
      const answer = (await host.observeOnce([query]))(query);
      return answer.state === 'present' ? answer.value.entries : [];
    }

    const nothing = { list: ['echo', 'ii  base'], tryRemoval: ['true'] };
    const write = (path: string, content: string, more: object = {}): Action => ({
      kind: 'write-file',
      path,
      content,
      mode: '644',
      record: {},
      ...more,
    });
    const restoreAll = async (): Promise<void> => {
      for (const { id, kind } of await entries()) {
        await apply(...(kind === 'file' ? [{ kind: 'restore-file', entry: id, path: '' } as const] : []), {
          kind: 'forget',
          entry: id,
        });
      }
    };

    it('keeps a file with content, mode, owner and dates, once, and puts it back', async () => {
      const path = join(folder, 'old file');
      writeFileSync(path, "it's\0binary, and no end of line");
      chmodSync(path, 0o640);
      const before = statSync(path);

      await apply(write(path, 'one\n'), write(path, 'two\n'));
      await apply(write(path, 'three\n', { record: { after: [['echo', "it's"]] } }));

      const found = (await entries()) as FileEntry[];
      expect(found).toMatchObject([
        { kind: 'file', path, was: { state: 'file', mode: '640' }, now: { state: 'file', mode: '644' }, after: [] },
      ]);
      expect(found[0]?.written).toHaveLength(3);
      expect(found[0]?.written[2]).toBe(found[0]?.now.state === 'file' ? found[0].now.sha256 : '');
      await restoreAll();
      expect(readFileSync(path, 'utf8')).toBe("it's\0binary, and no end of line");
      const { mode, uid, gid, mtimeMs } = before;
      expect(statSync(path)).toMatchObject({ mode, uid, gid, mtimeMs });
      expect(existsSync(root.outside(hostPaths.before))).toBe(false);
    });

    it('takes away a file that was not there, with the folders that were made for it', async () => {
      const path = join(folder, 'a/b/c.conf');
      mkdirSync(join(folder, 'a'));
      await apply(write(path, 'x\n', { record: { after: [['echo', "it's"]] } }));
      expect(await entries()).toMatchObject([{ was: { state: 'absent' }, after: [['echo', "it's"]] }]);

      await restoreAll();

      expect(existsSync(join(folder, 'a'))).toBe(true);
      expect(existsSync(join(folder, 'a/b'))).toBe(false);
    });

    it('leaves a folder in which somebody put something', async () => {
      await apply(write(join(folder, 'b/c.conf'), 'x\n'));
      writeFileSync(join(folder, 'b/other'), '');
      await restoreAll();
      expect(existsSync(join(folder, 'b/other'))).toBe(true);
      expect(existsSync(join(folder, 'b/c.conf'))).toBe(false);
    });

    it('keeps links, and what they lead to where that is written', async () => {
      const target = join(folder, 'target');
      const link = join(folder, 'link');
      writeFileSync(target, 'old\n');
      symlinkSync('target', link);

      await apply(write(link, 'new\n'));
      expect(await entries()).toMatchObject([{ id: fileEntryId(link), path: target }]);
      await restoreAll();
      expect([readFileSync(target, 'utf8'), readlinkSync(link)]).toEqual(['old\n', 'target']);

      await apply({ kind: 'link', path: link, target: '/nowhere/a b', record: {} });
      expect(await entries()).toMatchObject([
        {
          was: { state: 'link', target: 'target' },
          now: { state: 'link', target: '/nowhere/a b' },
          written: ['link /nowhere/a b'],
        },
      ]);
      await restoreAll();
      expect(readlinkSync(link)).toBe('target');

      const fresh = join(folder, 'fresh');
      await apply({ kind: 'link', path: fresh, target: 'x', record: {} });
      await restoreAll();
      expect(() => lstatSync(fresh)).toThrow('ENOENT');
    });

    it('brings a removed file back', async () => {
      const path = join(folder, 'gone');
      writeFileSync(path, 'x');
      await apply({ kind: 'remove', path, record: {} });
      expect(await entries()).toMatchObject([{ now: { state: 'absent' }, written: ['absent'] }]);
      await restoreAll();
      expect(readFileSync(path, 'utf8')).toBe('x');
    });

    it('keeps what a kernel value was, without tabs, and the choice of a list', async () => {
      const plain = join(folder, 'plain');
      const choice = join(folder, 'choice');
      writeFileSync(plain, '32768\t60999\n');
      writeFileSync(choice, 'always [madvise] never\n');
      const set = (path: string, value: string): Action => ({
        kind: 'kernel-values',
        values: [{ path, value }],
        record: true,
      });

      await apply(set(plain, '1 2'), set(choice, 'never'));
      await apply(set(plain, '3 4'));

      expect(await entries()).toEqual([
        {
          id: valueEntryId(choice),
          order: 2,
          kind: 'value',
          path: choice,
          was: 'madvise',
          now: 'never',
          written: ['never'],
        },
        {
          id: valueEntryId(plain),
          order: 1,
          kind: 'value',
          path: plain,
          was: '32768 60999',
          now: '3 4',
          written: ['1 2', '3 4'],
        },
      ]);
    });

    it('tells of a module whether it is loaded, and how often it is used', async () => {
      await apply({ kind: 'record', thing: { kind: 'module', module: 'br-x' } });
      await apply({ kind: 'record', thing: { kind: 'module', module: 'built_in' } });
      const module = root.outside('/sys/module/br_x');
      // What is built in has a folder for its parameters, and neither state nor count.
      for (const path of [module, root.outside('/sys/module/built_in')]) mkdirSync(path, { recursive: true });
      writeFileSync(join(module, 'initstate'), 'live\n');
      writeFileSync(join(module, 'refcnt'), '2\n');
      mkdirSync(join(module, 'holders/user_x'), { recursive: true });

      expect(await entries()).toEqual([
        { id: 'module:built_in', order: 2, kind: 'module', module: 'built_in', uses: undefined, holders: [] },
        { id: 'module:br-x', order: 1, kind: 'module', module: 'br-x', uses: 2, holders: ['user_x'] },
      ]);
    });

    it('tells of swap whether it can be turned on again', async () => {
      await apply({ kind: 'record', thing: { kind: 'swap' } });
      const [ready, blank] = ['ready', 'blank'].map((name) => join(folder, name.concat('.swap')));
      for (const path of [ready, blank]) writeFileSync(path ?? '', Buffer.alloc(65_536));
      expect(spawnSync('mkswap', [ready ?? '']).status).toBe(0);
      const entry = join(root.outside(hostPaths.before), 'swap/entry');
      writeFileSync(entry, `${readFileSync(entry, 'utf8')}device=${ready} -2\ndevice=${blank} 5\ndevice=/nowhere -2\n`);

      const [swap] = await entries();
      const devices = swap?.kind === 'swap' ? swap.devices : [];
      expect(devices.map(({ device, isThere }) => [device, isThere])).toEqual([
        [ready, true],
        [blank, false],
        ['/nowhere', false],
      ]);
    });

    it('does not change what it cannot keep', async () => {
      const path = join(folder, 'x');
      host.forget();
      writeFileSync(root.outside(hostPaths.before), 'in the way');
      await host.observe([{ kind: 'file', path: hostPaths.generation, content: false }]);
      const more = {
        secrets: new Map<string, string>(),
        look: [],
        holder: 'a test',
        lockTimeoutSeconds: 2,
        timeoutMs: 20_000,
      };

      expect(await host.apply({ actions: [write(path, 'new')], ...more })).toMatchObject({
        status: 'failed',
        failed: { exitCode: 74 },
      });
      expect(existsSync(path)).toBe(false);
    });

    it('makes an entry anew of which only a part was written', async () => {
      const path = join(folder, 'x');
      writeFileSync(path, 'old');
      const half = root.outside(`${hostPaths.before}/${fileEntryId(path)}`);
      mkdirSync(join(root.outside(hostPaths.before), '.new'), { recursive: true });
      writeFileSync(join(root.outside(hostPaths.before), '.new/entry'), 'rubbish');
      mkdirSync(half);
      writeFileSync(join(half, 'content'), 'rubbish');
      expect(await entries()).toEqual([]);

      await apply(write(path, 'new'));
      await restoreAll();

      expect(readFileSync(path, 'utf8')).toBe('old');
    });

    it('tells of packages what came by an installation, also by one that was cut off', async () => {
      const list = join(folder, 'list');
      const packages = { list: ['cat', list], tryRemoval: ['sh', '-c', 'echo "a needs $*"; exit 1', 'sh'] };
      const { compileRecordedInstall } = await import('./compile-packages.ts');
      const install = async (body: string): Promise<void> => {
        const script = compileRecordedInstall(packages, body);
        await root.transport(binary).exec(script, { root: true, timeoutMs: 10_000, signal: undefined });
      };
      writeFileSync(list, 'ii  base\nrc  old\nii  curl\n');

      await install(`printf 'ii  base\\nii  curl\\nii  socat\\nii  libx\\n' >'${list}'\nexit 5\n`);
      expect(await entries(packages)).toEqual([
        { id: 'packages', order: 1, kind: 'packages', added: ['libx', 'socat'], objections: ['a needs libx socat'] },
      ]);
      // Cut off: what it brought is seen by the difference that nobody drew.
      await install(`printf 'ii  base\\npi  socat\\niU  ipset\\n' >'${list}'\nkill -KILL $$\n`);
      expect(await entries({ ...packages, tryRemoval: ['true'] })).toEqual([
        { id: 'packages', order: 1, kind: 'packages', added: ['ipset', 'socat'], objections: [] },
      ]);
      await install('true\n');
      expect(readFileSync(root.outside(`${hostPaths.before}/packages/added`), 'utf8')).toBe('ipset\nlibx\nsocat\n');
      expect(existsSync(root.outside(`${hostPaths.before}/packages/pending`))).toBe(false);
    });
  },
);
