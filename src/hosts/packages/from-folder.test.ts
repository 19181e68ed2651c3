import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { apt } from './apt.ts';
import { dnf, yum } from './dnf.ts';
import { folderLayout, fromFolder } from './from-folder.ts';
import { zypper } from './zypper.ts';

const folder = '/run/x';

it('apt reads the one list of the folder, keeps what it learns there, and goes through no proxy', () => {
  const through = fromFolder(apt, folder);

  expect(through?.install(['jq']).slice(4).join(' ')).toBe(
    'apt-get -o Dir::Etc::SourceList=/run/x/bundle.sources -o Dir::Etc::SourceParts=- -o Dir::State::Lists=/run/x/lists -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= -o APT::Sandbox::User=root -o APT::Update::Error-Mode=any -o Acquire::http::Proxy=DIRECT ' +
      apt.install(['jq']).slice(1).join(' '),
  );
  expect(through?.refresh.at(-1)).toBe('update');
  expect(through?.env).toMatchObject({ ...apt.env, no_proxy: '127.0.0.1' });
  expect(folderLayout('apt-get', folder)).toEqual({ file: '/run/x/bundle.sources', folders: ['/run/x/lists/partial'] });
});

it.each([dnf, yum])('$name reads the folder alone', (manager) => {
  const options = ['--setopt=reposdir=/run/x/repos', '--setopt=cachedir=/run/x/cache', '--setopt=proxy='];

  const refresh = [manager.name, ...options, ...manager.refresh.slice(1)];
  expect(fromFolder(manager, folder)?.refresh.slice(4)).toEqual(refresh);
  expect(fromFolder(manager, folder)?.rehearsal?.try(['jq'])).toEqual([
    manager.name,
    ...options,
    ...(manager.rehearsal?.try(['jq']).slice(1) ?? []),
  ]);
  expect(folderLayout(manager.name, folder).file).toBe('/run/x/repos/bundle.repo');
});

it.each([
  ['is repeated, for the connection may be back by then', 2, 0],
  ['ends as it ended where that does not help', 100, 7],
])('a call that fails %s', (_what, failures, status) => {
  const dir = mkdtempSync(join(tmpdir(), 'from-folder-'));
  const call = `echo >>${dir}/calls; [ $(wc -l <${dir}/calls) -gt ${failures} ] || exit 7`;
  writeFileSync(join(dir, 'sleep'), '#!/bin/sh\n', { mode: 0o755 });
  const through = fromFolder({ ...apt, refresh: ['sh', '-c', call] }, folder);
  const [sh = '', ...args] = through?.refresh ?? [];

  // The options of apt stand behind the program, where sh takes them for its own: they are left out here.
  const without = args.filter((arg) => arg !== '-o' && !/^(Dir|APT|Acquire)::/.test(arg));
  const ended = spawnSync(sh, without, { env: { PATH: `${dir}:${process.env['PATH'] ?? ''}` } });

  rmSync(dir, { recursive: true });
  expect(ended.status).toBe(status);
});

it('zypper takes packages from the repositories of the host', () => {
  expect(fromFolder(zypper, folder)).toBeUndefined();
});
