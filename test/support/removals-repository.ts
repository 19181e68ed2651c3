import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';

/** own-app, which needs own, is meant to be there; `successor` obsoletes own, and `clash` cannot be beside it. */
const packages: readonly { readonly name: string; readonly version: string; readonly lines: readonly string[] }[] = [
  { name: 'own', version: '1', lines: [] },
  { name: 'own-app', version: '1', lines: ['Requires: own'] },
  { name: 'successor', version: '2', lines: ['Obsoletes: own < 2', 'Provides: own = 2'] },
  { name: 'wanted', version: '1', lines: ['Requires: successor'] },
  { name: 'clash', version: '1', lines: ['Conflicts: own'] },
  { name: 'simple', version: '1', lines: [] },
];

/** Makes an unsigned repository with them; `work` is a folder for its own use. */
export async function makeRemovalsRepository(repository: string, work: string): Promise<void> {
  for (const item of packages) await build(item, work, repository);
  await execa('createrepo_c', ['--quiet', repository]);
}

async function build(
  { name, version, lines }: (typeof packages)[number],
  work: string,
  repository: string,
): Promise<void> {
  await mkdir(work, { recursive: true });
  const spec = join(work, `${name}.spec`);
  const head = [`Name: ${name}`, `Version: ${version}`, 'Release: 1', 'Summary: test', 'License: none'];
  await writeFile(spec, `${[...head, 'BuildArch: noarch', ...lines, '%description', 'test', '%files'].join('\n')}\n`);
  const defines = [
    `_topdir ${work}`,
    `_rpmdir ${repository}`,
    '_build_name_fmt %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm',
  ];
  await execa('rpmbuild', ['-bb', '--quiet', ...defines.flatMap((define) => ['--define', define]), spec]);
}
