import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dnf } from '../../src/hosts/packages/dnf.ts';
import type { PackageManager } from '../../src/hosts/packages/index.ts';
import { refuseRemovals } from '../../src/hosts/packages/rehearsal.ts';
import { zypper } from '../../src/hosts/packages/zypper.ts';
import { makeRemovalsRepository } from '../support/removals-repository.ts';

const missing = ['dnf', 'zypper', 'rpm', 'rpmbuild', 'createrepo_c'].filter((tool) => !existsSync(`/usr/bin/${tool}`));
const title =
  missing.length === 0
    ? 'an installation that would take packages away'
    : `an installation that would take packages away (skipped: no ${missing.join(', ')})`;

describe.skipIf(missing.length > 0).each([dnf, zypper])(`${title}: $name`, (manager) => {
  let folder: string;
  let options: readonly string[];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'packages-removals-'));
    const repository = join(folder, 'repository');
    const root = join(folder, 'root');
    await mkdir(root);
    await makeRemovalsRepository(repository, join(folder, 'work'));
    const files = ['own', 'own-app'].map((name) => join(repository, `${name}-1-1.noarch.rpm`));
    await execa('rpm', ['--root', root, '--install', '--nodeps', '--force-debian', ...files]);
    options =
      manager.name === 'zypper'
        ? ['--root', root, '--no-gpg-checks']
        : [
            ...[`--installroot=${root}`, '--releasever=9', '--setopt=reposdir=/nonexistent', '--repo=test'],
            ...[`--repofrompath=test,file://${repository}`, '--nogpgcheck', `--setopt=logdir=${folder}`],
            `--setopt=cachedir=${join(folder, 'cache')}`,
          ];
    if (manager.name === 'zypper') {
      await execa('zypper', [...options, '--quiet', 'addrepo', '-G', `file://${repository}`, 'test']);
      await execa('zypper', [...options, '--quiet', '--non-interactive', 'refresh']);
    }
  }, 60_000);

  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  test.each<[string, number, RegExp]>([
    ['simple', 0, /^$/],
    ['wanted', 1, /^nothing was installed: that would remove or replace packages .*: own(\.noarch)? $/],
    ['clash', 1, /clash-1-1.noarch conflicts with own/],
    ['nowhere', 1, /nowhere/],
  ])('%s ends with %d', async (name, exitCode, output) => {
    const [argv = []] = refuseRemovals(within(manager, options), [name]);
    const [command = '', ...args] = argv;

    const result = await execa(command, args, { reject: false, stdin: 'ignore', env: { LC_ALL: 'C' } });

    expect([result.exitCode, result.stdout]).toEqual([exitCode, expect.stringMatching(output)]);
  });
});

function within(manager: PackageManager, options: readonly string[]): PackageManager {
  const { rehearsal } = manager;
  if (rehearsal === undefined) throw new Error(`${manager.name} has no rehearsal`);
  return {
    ...manager,
    rehearsal: {
      ...rehearsal,
      try(names) {
        const [program = '', ...rest] = rehearsal.try(names);
        return [program, ...options, ...rest];
      },
    },
  };
}
