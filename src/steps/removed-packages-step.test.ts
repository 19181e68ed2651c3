import { describe, expect, it } from 'vitest';
import { createFakeHost, type FakeHost } from '../../test/support/fake-host.ts';
import { changesOn, converge, planOn } from '../../test/support/steps.ts';
import { choosePackageManager, type PackageManager } from '../hosts/packages/index.ts';
import { installAction } from './packages-step.ts';
import { removePackagesStep, returnPackagesStep } from './removed-packages-step.ts';
import { restoreStep } from './restore-step.ts';

function managerNamed(name: 'apt-get' | 'dnf'): PackageManager {
  const manager = choosePackageManager([name], new Set([name]));
  if (manager === undefined) throw new Error(name);
  return manager;
}

const apt = managerNamed('apt-get');
const step = removePackagesStep({ id: 'r', manager: apt, clusterId: 'c1', names: ['runc', 'docker.io'] });
const back = returnPackagesStep('b', apt);

/** A host with these packages and, where given, what dpkg says against a removal. */
function host(packages: readonly string[], objections: readonly string[] = []): FakeHost {
  const made = createFakeHost('n1');
  for (const name of packages) made.packages.add(name);
  made.on('/bin/sh -c f=$(dpkg-query', (argv) => {
    const there = argv.slice(4).filter((name) => made.packages.has(name));
    if (there.length === 0) return '';
    return [...there.map((name) => `there=${name} 1`), ...objections.map((line) => `objection=${line}`), ''].join('\n');
  });
  made.on('dpkg --remove', ([, , ...names]) => (names.forEach((name) => made.packages.delete(name)), ''));
  made.on('apt-get', (argv) => {
    for (const name of argv.slice(argv.indexOf('install') + 1)) made.packages.add(name.split('=')[0] ?? '');
    return '';
  });
  made.on('rmdir', '');
  return made;
}

describe('removePackagesStep', () => {
  it.each<[string, string[], string[], string[]]>([
    ['those that are there', ['base', 'runc', 'docker.io'], ['remove packages runc, docker.io'], ['base']],
    ['one of them', ['base', 'runc'], ['remove packages runc'], ['base']],
    ['none', ['base'], [], ['base']],
  ])('removes %s, once', async (_name, packages, summaries, left) => {
    const made = host(packages);

    expect(await converge(made, step)).toEqual(summaries);

    expect([...made.packages]).toEqual(left);
    expect(made.record.ids()).toEqual(summaries.length === 0 ? [] : ['packages-removed']);
  });

  it('shows what goes, and removes it as a unit that keeps what it was like', async () => {
    const [change] = await changesOn(host(['runc']), step);

    expect(change).toMatchObject({ before: 'runc 1', after: '', disruptive: true });
    expect(change?.actions).toMatchObject([
      {
        kind: 'long',
        unit: expect.stringMatching(/^installer-c1-packages-[0-9a-f]{8}$/) as string,
        commands: [['dpkg', '--remove', 'runc']],
        removesPackages: { names: ['runc'], commands: apt.record, removal: apt.removal },
      },
    ]);
  });

  it('does nothing where something needs one of them, and says what', async () => {
    const made = host(
      ['runc'],
      [
        'dpkg: dependency problems prevent removal of runc:',
        ' containerd depends on runc (>= 1.0).',
        '',
        'Errors were encountered while processing:',
        ' runc',
      ],
    );

    expect(await planOn(made, step)).toEqual({
      kind: 'blocked',
      code: 'PACKAGE_NEEDED',
      reason: 'runc cannot be removed: containerd depends on runc (>= 1.0).',
      remedy: 'name what needs it in spec.hostSettings.removePackages, too, or take it out there',
      waitSeconds: 0,
    });
  });

  it.each([{ exitCode: 2 }, { unknown: 'no answer in time' }])(
    'does nothing where it cannot see: %j',
    async (answer) => {
      const made = createFakeHost('n1');
      made.on('/bin/sh -c f=', answer);
      expect(await planOn(made, step)).toMatchObject({ kind: 'blocked', code: 'PACKAGES_UNKNOWN' });
    },
  );
});

describe('returnPackagesStep', () => {
  it('puts back what was removed, and forgets it', async () => {
    const made = host(['base', 'runc', 'docker.io']);
    await converge(made, step);

    expect(await converge(made, back)).toEqual(['put packages back: runc 1, docker.io 1']);

    expect([...made.packages].toSorted()).toEqual(['base', 'docker.io', 'runc']);
    expect(made.record.ids()).toEqual([]);
    expect(await converge(made, back)).toEqual([]);
  });

  it('leaves what somebody else brought back', async () => {
    const made = host(['runc', 'docker.io']);
    await converge(made, step);
    made.packages.add('runc');
    expect((await changesOn(made, back)).map(({ summary }) => summary)).toEqual([
      'packages runc are there already',
      'put packages back: docker.io 1',
    ]);
    made.packages.add('docker.io');

    expect(await converge(made, back)).toEqual(['packages runc, docker.io are there already']);
    expect(made.record.ids()).toEqual([]);
  });

  it('keeps the record where they do not come', async () => {
    const made = host(['runc']);
    await converge(made, step);
    made.on('apt-get', { exitCode: 100, stderr: 'Unable to locate package runc' });

    await expect(converge(made, back)).rejects.toThrow('Unable to locate package runc');
    expect(made.record.ids()).toEqual(['packages-removed']);
  });

  it('takes the versions that were there, else each in its own, else what is to be had', async () => {
    const made = host(['runc', 'docker.io']);
    await converge(made, step);

    const [change] = await changesOn(made, back);

    expect(change?.actions[0]).toMatchObject({
      kind: 'long',
      commands: [apt.install(['runc=1', 'docker.io=1'])],
      returnsPackages: {
        packages: [
          { name: 'runc', version: '1' },
          { name: 'docker.io', version: '1' },
        ],
        each: [
          { exact: [apt.install(['runc=1'])], any: [apt.install(['runc'])] },
          { exact: [apt.install(['docker.io=1'])], any: [apt.install(['docker.io'])] },
        ],
      },
    });
    expect(change?.actions.slice(1).map(({ kind }) => kind)).toEqual(['forget', 'remove', 'remove', 'run']);
  });

  it('comes after all else, and packages that were removed did not come with an installation', async () => {
    const made = host(['runc']);
    await converge(made, step);
    const restore = restoreStep('restore', {
      partlyOwn: [],
      packages: apt.record,
      removePackages: (names) => ({ kind: 'run', argv: ['dpkg', '--purge', ...names], timeoutSeconds: 10 }),
    });
    made.on('apt-get', () => (made.packages.add('kit'), made.packages.add('runc'), ''));
    made.on('dpkg --purge', ([, , ...names]) => (names.forEach((name) => made.packages.delete(name)), ''));
    await made.apply({
      actions: [installAction(apt, 'c1', ['kit'])],
      secrets: new Map(),
      look: [],
      holder: 'a test',
      lockTimeoutSeconds: 1,
      timeoutMs: 1000,
    });

    expect(await converge(made, restore)).toEqual(['remove packages kit']);
    expect(made.record.ids()).toEqual(['packages-removed']);
    expect(await converge(made, back)).toEqual(['packages runc are there already']);
  });

  it('tries with dnf first whether something would go for them', async () => {
    const dnf = managerNamed('dnf');
    const made = host(['runc']);
    await converge(made, step);

    const [change] = await changesOn(made, returnPackagesStep('b', dnf));

    expect(change?.actions[0]).toMatchObject({
      commands: [
        [
          '/bin/sh',
          '-c',
          expect.anything(),
          'sh',
          expect.anything(),
          expect.anything(),
          'dnf',
          '--assumeno',
          '--setopt=install_weak_deps=False',
          'install',
          'runc-1',
        ],
        dnf.install(['runc-1']),
      ],
    });
  });
});
