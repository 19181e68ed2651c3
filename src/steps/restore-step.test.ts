import { describe, expect, it } from 'vitest';
import { createFakeHost, type FakeHost } from '../../test/support/fake-host.ts';
import { changesOn, converge, planOn } from '../../test/support/steps.ts';
import type { Step } from '../engine/step.ts';
import type { Action } from '../ops/action.ts';
import { editStep } from './edit-step.ts';
import { fileStep } from './file-step.ts';
import { editHostsBlock } from './hosts-block.ts';
import { restoreStep } from './restore-step.ts';

const restore = restoreStep('restore', {
  partlyOwn: [{ path: '/etc/hosts', undo: (now) => editHostsBlock(now, []) }],
  packages: { list: ['true'], tryRemoval: ['true'] },
  removePackages: (names) => ({ kind: 'run', argv: ['remove', ...names], timeoutSeconds: 10 }),
});

const after = ['systemctl', 'restart', 'x.service'];
const ours = (content = 'ours\n'): Step =>
  fileStep({ id: 'x', path: '/etc/x.conf', content, mode: '644', record: { after: [after] } });
const block = (...lines: string[]): Step =>
  editStep({
    id: 'hosts',
    path: '/etc/hosts',
    summary: 'names',
    record: {},
    edit: (text) => editHostsBlock(text, lines),
  });

async function act(host: FakeHost, ...actions: Action[]): Promise<void> {
  const more = {
    secrets: new Map<string, string>(),
    look: [],
    holder: 'a test',
    lockTimeoutSeconds: 1,
    timeoutMs: 1000,
  };
  expect(await host.apply({ actions, ...more })).toMatchObject({ status: 'applied' });
}

/** What is left of the host once the record is gone; a second restore finds nothing. */
async function restoreOn(host: FakeHost): Promise<string[]> {
  const summaries = await converge(host, restore);
  expect(host.record.ids()).toEqual([]);
  expect(await converge(host, restore)).toEqual([]);
  return summaries;
}

describe('restoreStep on a file', () => {
  it.each<[string, string | undefined, (host: FakeHost) => void, string[], string | undefined]>([
    ['takes away one that was not there', undefined, () => undefined, ['remove /etc/x.conf'], undefined],
    ['brings back one that was there', 'old\n', () => undefined, ['put /etc/x.conf back'], 'old\n'],
    [
      'keeps one that was edited since',
      undefined,
      (host) => host.write('/etc/x.conf', 'edited\n'),
      ['keep /etc/x.conf: it was edited since'],
      'edited\n',
    ],
    [
      'keeps one that was edited since, and what was there before beside it',
      'old\n',
      (host) => host.write('/etc/x.conf', 'edited\n'),
      ['keep /etc/x.conf: it was edited since; what was there before is /etc/x.conf.before-installer'],
      'edited\n',
    ],
    [
      'does not bring back one that was removed since',
      'old\n',
      (host) => host.files.delete('/etc/x.conf'),
      ['keep /etc/x.conf: it was removed since'],
      undefined,
    ],
    [
      'forgets one that is as it was',
      'old\n',
      (host) => host.write('/etc/x.conf', 'old\n'),
      ['/etc/x.conf is as it was before'],
      'old\n',
    ],
  ])('%s', async (_name, before, since, summaries, content) => {
    const host = createFakeHost('n1', { files: before === undefined ? {} : { '/etc/x.conf': before } });
    host.on('systemctl restart x.service', '');
    host.on('cp -a', '');
    // Twice, and with another text: what counts is what was there before the first.
    await converge(host, ours('ours of an older run\n'));
    await converge(host, ours());
    since(host);

    expect(await restoreOn(host)).toEqual(summaries);
    expect(host.text('/etc/x.conf')).toBe(content);
  });

  it('runs what makes the change count, and forgets only then', async () => {
    const host = createFakeHost('n1');
    host.on('systemctl restart x.service', '');
    await converge(host, ours());

    expect((await changesOn(host, restore))[0]?.actions).toMatchObject([
      { kind: 'restore-file', entry: 'file:etc:x.conf' },
      { kind: 'run', argv: after },
      { kind: 'forget', entry: 'file:etc:x.conf' },
    ]);
  });

  it('does nothing where the record cannot be read', async () => {
    const host = createFakeHost('n1');
    const plan = restore.plan((query) =>
      query.kind === 'record' ? { state: 'unknown', reason: 'EIO' } : { state: 'absent' },
    );
    expect(plan).toMatchObject({ kind: 'blocked', code: 'RECORD_UNREADABLE' });
    expect(await planOn(host, restore)).toMatchObject({ kind: 'changes', changes: [] });
  });
});

describe('restoreStep on a file that is the installer’s in part', () => {
  const mine = '127.0.0.1 localhost\n';

  it.each<[string, string | undefined, (text: string) => string, string, string | undefined]>([
    ['puts it back as it was', mine, (text) => text, 'put /etc/hosts back', mine],
    ['puts one back that did not end a line', '127.0.0.1 a', (text) => text, 'put /etc/hosts back', '127.0.0.1 a'],
    ['takes one away that was not there', undefined, (text) => text, 'remove /etc/hosts', undefined],
    [
      'takes only its part out of one that was edited since',
      mine,
      (text) => `10.0.0.9 before\n${text}10.0.0.8 after\n`,
      "take the installer's part out of /etc/hosts; it was edited since, and the rest is kept",
      `10.0.0.9 before\n${mine}10.0.0.8 after\n`,
    ],
    [
      'puts one back in which its part was edited',
      mine,
      (text) => text.replace('10.0.0.1 ', '10.9.9.9 '),
      'put /etc/hosts back',
      mine,
    ],
  ])('%s', async (_name, before, since, summary, content) => {
    const host = createFakeHost('n1', { files: before === undefined ? {} : { '/etc/hosts': before } });
    await converge(host, block('10.0.0.1 a'));
    host.write('/etc/hosts', since(host.text('/etc/hosts') ?? ''));

    expect(await restoreOn(host)).toEqual([summary]);
    expect(host.text('/etc/hosts')).toBe(content);
  });

  it('keeps a line that was added between two runs', async () => {
    const host = createFakeHost('n1', { files: { '/etc/hosts': mine } });
    await converge(host, block('10.0.0.1 a'));
    host.write('/etc/hosts', `${host.text('/etc/hosts') ?? ''}10.0.0.8 added\n`);
    await converge(host, block('10.0.0.1 a', '10.0.0.2 b'));

    await restoreOn(host);

    expect(host.text('/etc/hosts')).toBe(`${mine}10.0.0.8 added\n`);
  });
});

describe('restoreStep on the rest', () => {
  const path = '/proc/sys/vm/max_map_count';
  const set = (value: string): Action => ({ kind: 'kernel-values', values: [{ path, value }], record: true });

  it.each<[string, (host: FakeHost) => void, string, string | undefined]>([
    ['sets a value back', () => undefined, 'set vm.max_map_count back: 2 -> 65530', '65530'],
    [
      'keeps a value that somebody set since',
      (host) => host.write(path, '3\n'),
      'keep vm.max_map_count = 3: somebody set it since',
      '3',
    ],
    [
      'forgets a value that is as it was',
      (host) => host.write(path, '65530\n'),
      'vm.max_map_count is 65530, as before',
      '65530',
    ],
    ['forgets a value whose module is gone', (host) => host.files.delete(path), 'vm.max_map_count is gone', undefined],
  ])('%s', async (_name, since, summary, value) => {
    const host = createFakeHost('n1', { files: { [path]: '65530\n' } });
    await act(host, set('1'), set('2'));
    since(host);

    expect(await restoreOn(host)).toEqual([summary]);
    expect(host.text(path)?.trim()).toBe(value);
  });

  const unit = 'firewalld.service';
  const off: Action[] = [
    { kind: 'record', thing: { kind: 'unit', unit, becomes: { enablement: 'disabled', activity: 'inactive' } } },
    { kind: 'service', unit, do: 'disable' },
    { kind: 'service', unit, do: 'stop' },
  ];

  it.each<[string, (host: FakeHost) => void, string, string, string]>([
    ['starts and enables a unit again', () => undefined, `put ${unit} back: enabled, active`, 'enabled', 'active'],
    [
      'leaves a unit that somebody brought back',
      (host) => {
        host.systemctl('enable', unit);
        host.systemctl('start', unit);
      },
      `${unit} is as it was before`,
      'enabled',
      'active',
    ],
    [
      'keeps a unit masked that somebody masked since, and starts it',
      (host) => host.systemctl('mask', unit),
      `put ${unit} back: active, kept masked, which somebody made it since`,
      'masked',
      'active',
    ],
  ])('%s', async (_name, since, summary, unitFileState, activeState) => {
    const host = createFakeHost('n1', { services: { [unit]: { unitFileState: 'enabled', activeState: 'active' } } });
    await act(host, ...off);
    since(host);

    expect(await restoreOn(host)).toEqual([summary]);
    expect(host.services.get(unit)).toMatchObject({ unitFileState, activeState });
  });

  it('does not start a unit that was off', async () => {
    const host = createFakeHost('n1', { services: { [unit]: { unitFileState: 'enabled', activeState: 'failed' } } });
    await act(host, ...off);
    await restoreOn(host);
    expect(host.services.get(unit)).toMatchObject({ unitFileState: 'enabled', activeState: 'inactive' });
  });

  it.each<[string, string | undefined, string, string[]]>([
    ['unloads a module that was loaded', '0', 'unload module br_netfilter', []],
    ['keeps a module that something uses', '2', 'keep module br_netfilter: it is in use', ['br_netfilter']],
    ['forgets a module that is gone', undefined, 'module br_netfilter is not loaded', []],
  ])('%s', async (_name, uses, summary, left) => {
    const host = createFakeHost('n1');
    const refcnt = '/sys/module/br_netfilter/refcnt';
    host.on('rmmod br_netfilter', () => (host.files.delete(refcnt), ''));
    await act(host, { kind: 'record', thing: { kind: 'module', module: 'br_netfilter' } });
    if (uses !== undefined) host.write(refcnt, uses);

    expect(await restoreOn(host)).toEqual([summary]);
    expect(host.text(refcnt) === undefined ? [] : ['br_netfilter']).toEqual(left);
  });

  it.each<[string, string, string[]]>([
    [
      'with those that it loaded later',
      '2',
      ['unload module ip_vs-sh', 'unload module ip_vs_rr', 'unload module ip_vs'],
    ],
    [
      'but not where something else uses it too',
      '3',
      ['unload module ip_vs-sh', 'unload module ip_vs_rr', 'keep module ip_vs: it is in use'],
    ],
  ])('unloads a module that others use, %s', async (_name, uses, summaries) => {
    const host = createFakeHost('n1');
    host.on('rmmod', ([, module = '']) => (host.files.delete(`/sys/module/${module.replace('-', '_')}/refcnt`), ''));
    for (const module of ['ip_vs', 'ip_vs_rr', 'ip_vs-sh'])
      await act(host, { kind: 'record', thing: { kind: 'module', module } });
    host.write('/sys/module/ip_vs/refcnt', uses);
    for (const name of ['ip_vs_rr', 'ip_vs_sh']) {
      host.write(`/sys/module/${name}/refcnt`, '0');
      host.write(`/sys/module/ip_vs/holders/${name}`, '');
    }

    expect(await restoreOn(host)).toEqual(summaries);
  });

  it('turns swap on again', async () => {
    const on = 'Filename Type Size Used Priority\n/swap.img file 1 0 -2\n';
    const host = createFakeHost('n1', { files: { '/proc/swaps': on } });
    host.on('swapoff -a', () => (host.write('/proc/swaps', 'Filename\n'), ''));
    host.on('swapon /swap.img', () => (host.write('/proc/swaps', on), ''));
    await act(
      host,
      { kind: 'record', thing: { kind: 'swap' } },
      { kind: 'run', argv: ['swapoff', '-a'], timeoutSeconds: 1 },
    );

    expect(await restoreOn(host)).toEqual(['turn swap on (/swap.img)']);
    expect(host.text('/proc/swaps')).toBe(on);
  });

  it.each([
    ['/dev/zram0', 'swap on /dev/zram0 is made anew by its unit, or at the next boot'],
    ['/dev/sdb1', 'swap on /dev/sdb1 is gone'],
  ])('says what becomes of swap on %s that cannot be turned on', async (device, summary) => {
    const host = createFakeHost('n1', { files: { '/proc/swaps': `Filename\n${device} partition 1 0 100\n` } });
    await act(host, { kind: 'record', thing: { kind: 'swap' } });
    host.write('/proc/swaps', 'Filename\n');
    host.write(device, 'no swap area');

    expect(await restoreOn(host)).toEqual([summary]);
  });

  it.each([
    ['removes the packages that came', [], ['remove packages socat, libx'], ['base']],
    [
      'keeps packages that are needed by now',
      ['kit needs socat'],
      ['keep packages socat, libx: they are needed by now'],
      ['base', 'socat', 'libx'],
    ],
  ])('%s', async (_name, objections, summaries, left) => {
    const host = createFakeHost('n1');
    host.packages.add('base');
    host.on('install', () => (host.packages.add('socat'), host.packages.add('libx'), ''));
    host.on('remove', ([, ...names]) => (names.forEach((name) => host.packages.delete(name)), ''));
    const recordPackages = { list: ['true'], tryRemoval: ['true'] };
    await act(host, { kind: 'long', unit: 'u', commands: [['install']], timeoutSeconds: 1, recordPackages });
    host.objections.push(...objections);

    expect(await restoreOn(host)).toEqual(summaries);
    expect([...host.packages]).toEqual(left);
  });

  it('goes backwards through what was done', async () => {
    const host = createFakeHost('n1', { files: { [path]: '65530\n' } });
    host.on('systemctl restart x.service', '');
    await act(host, set('1'));
    await converge(host, ours());

    expect(await restoreOn(host)).toEqual(['remove /etc/x.conf', 'set vm.max_map_count back: 1 -> 65530']);
  });
});
