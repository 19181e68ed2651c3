import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../commands.ts';
import type { RpmRecipe } from './rpm-recipes.ts';

export interface RpmSource extends RpmRecipe {
  /** Version as Debian writes it; what rpm cannot hold is left out. */
  readonly debianVersion: string;
  /** Folder whose files are packed; a package without files where absent. */
  readonly payload?: string;
}

/** Builds one package with rpmbuild into `outDir`; `work` is an empty folder for its own use. */
export async function buildRpm(source: RpmSource, work: string, outDir: string): Promise<void> {
  await mkdir(work, { recursive: true });
  const spec = join(work, `${source.name}.spec`);
  await writeFile(spec, renderSpec(source, join(work, 'files')));
  if (source.payload !== undefined) await writeFileList(source.payload, join(work, 'files'));
  const defines = [
    `_topdir ${work}`,
    `_rpmdir ${outDir}`,
    '_build_name_fmt %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm',
  ];
  const args = defines.flatMap((define) => ['--define', define]);
  await run('rpmbuild', ['-bb', '--quiet', '--nodeps', '--target', 'x86_64', ...args, spec]);
}

/** Debian's `1:2.3+dfsg-4` as rpm's epoch, version and release. */
export function rpmVersion(debian: string): { epoch: string; version: string; release: string } {
  const [, epoch = '0', upstream = '', revision = '0'] = /^(?:(\d+):)?(.*?)(?:-([^-]*))?$/.exec(debian) ?? [];
  const clean = (text: string): string => text.replace(/[^A-Za-z0-9._+~]/g, '.');
  return { epoch, version: clean(upstream), release: `${clean(revision)}.lab` };
}

/** The spec file; programs' needs for libraries are found by rpmbuild itself. */
export function renderSpec(source: RpmSource, fileList: string): string {
  const { epoch, version, release } = rpmVersion(source.debianVersion);
  const files = source.payload === undefined ? [] : [`cp -a ${source.payload}/. %{buildroot}/`];
  return [
    '%global debug_package %{nil}',
    '%global __os_install_post %{nil}',
    '%global __brp_check_rpaths %{nil}',
    // Perl's own modules are part of the hosts' Debian and in no package here.
    '%global __requires_exclude ^perl[(]',
    `Name: ${source.name}`,
    ...(epoch === '0' ? [] : [`Epoch: ${epoch}`]),
    `Version: ${version}`,
    `Release: ${release}`,
    `Summary: ${source.name} of the installer's lab`,
    'License: as in Debian',
    ...(source.provides ?? []).map((name) => `Provides: ${name}`),
    ...(source.requires ?? []).map((name) => `Requires: ${name}`),
    ...(source.user === undefined ? [] : ['Requires(pre): shadow-utils']),
    '%description',
    source.payload === undefined ? 'Stands for what the lab host has from Debian.' : "Debian's files.",
    '%install',
    'mkdir -p %{buildroot}',
    ...files,
    ...(source.user === undefined
      ? []
      : ['%pre', `getent passwd ${source.user} >/dev/null || useradd -r -s /usr/sbin/nologin -d / ${source.user}`]),
    source.payload === undefined ? '%files' : `%files -f ${fileList}`,
    '',
  ].join('\n');
}

async function writeFileList(payload: string, file: string): Promise<void> {
  const found = await run('find', [payload, '!', '-type', 'd', '-printf', '/%P\\n']);
  const lines = found
    .split('\n')
    .filter((path) => path !== '')
    .map((path) => `${path.startsWith('/etc/') ? '%config(noreplace) ' : ''}"${path}"`);
  await writeFile(file, `${lines.join('\n')}\n`);
}
