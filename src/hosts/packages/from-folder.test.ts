import { expect, it } from 'vitest';
import { apt } from './apt.ts';
import { dnf, yum } from './dnf.ts';
import { folderLayout, fromFolder } from './from-folder.ts';
import { zypper } from './zypper.ts';

const folder = '/run/x';

it('apt reads the one list of the folder, keeps what it learns there, and goes through no proxy', () => {
  const through = fromFolder(apt, folder);

  expect(through?.install(['jq']).join(' ')).toBe(
    'apt-get -o Dir::Etc::SourceList=/run/x/bundle.sources -o Dir::Etc::SourceParts=- -o Dir::State::Lists=/run/x/lists -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= -o APT::Sandbox::User=root -o APT::Update::Error-Mode=any -o Acquire::http::Proxy=DIRECT ' +
      apt.install(['jq']).slice(1).join(' '),
  );
  expect(through?.refresh.at(-1)).toBe('update');
  expect(through?.env).toMatchObject({ ...apt.env, no_proxy: '127.0.0.1' });
  expect(folderLayout('apt-get', folder)).toEqual({ file: '/run/x/bundle.sources', folders: ['/run/x/lists/partial'] });
});

it.each([dnf, yum])('$name reads the folder alone', (manager) => {
  const options = ['--setopt=reposdir=/run/x/repos', '--setopt=cachedir=/run/x/cache', '--setopt=proxy='];

  expect(fromFolder(manager, folder)?.refresh).toEqual([manager.name, ...options, ...manager.refresh.slice(1)]);
  expect(fromFolder(manager, folder)?.rehearsal?.try(['jq'])).toEqual([
    manager.name,
    ...options,
    ...(manager.rehearsal?.try(['jq']).slice(1) ?? []),
  ]);
  expect(folderLayout(manager.name, folder).file).toBe('/run/x/repos/bundle.repo');
});

it('zypper takes packages from the repositories of the host', () => {
  expect(fromFolder(zypper, folder)).toBeUndefined();
});
