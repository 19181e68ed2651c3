import { blocked, changes, noChanges, type Change, type Step } from '../engine/step.ts';
import type { PackageManager } from '../hosts/packages/index.ts';
import type { Action } from '../ops/action.ts';
import { commandQuery } from '../ops/query.ts';
import { hasPlaceholder, type Secrets } from '../ops/secrets.ts';
import type { PackageRepository } from '../spec/config.ts';
import { customStep } from './edit-step.ts';
import { fileStep } from './file-step.ts';
import { accessSteps, rpmAccessLines, zypperUrl, type RepositoryAccess } from './repository-access.ts';

export interface RepositoriesInput {
  readonly id: string;
  readonly manager: PackageManager;
  readonly repositories: readonly PackageRepository[];
  /** Text of the public keys by path on the installer's machine. */
  readonly keys: ReadonlyMap<string, string>;
  readonly exclusive: boolean;
  /** By name of the repository: what lets the package manager in, where not everybody is. */
  readonly access: ReadonlyMap<string, RepositoryAccess>;
  /** Values of the placeholders in `access`. */
  readonly secrets: Secrets;
}

/** The user's own package repositories; others are put aside, and come back with the record, where that is asked for. */
export function repositoriesSteps(input: RepositoriesInput): Step[] {
  const place = input.manager.repositories;
  const keyed = input.repositories.flatMap(({ name, keyFile }) => {
    const content = keyFile === undefined ? undefined : input.keys.get(keyFile);
    return content === undefined ? [] : [{ name, content }];
  });
  const { access, secrets } = input;
  const content = renderRepositories(input.manager.name, input.repositories, keyPath, access);
  return [
    ...accessSteps({ ...input, access }),
    ...keyed.map(({ name, content }) =>
      fileStep({ id: `${input.id}-key-${name}`, path: keyPath(name), content, mode: '644', record: {} }),
    ),
    fileStep({
      id: input.id,
      path: place.file,
      content,
      record: {},
      ...(hasPlaceholder(content) ? { mode: '600', secrets } : { mode: '644' }),
    }),
    ...(input.exclusive ? [putAsideStep(`${input.id}-others`, place)] : []),
  ];
}

function keyPath(name: string): string {
  return `/etc/installer/keys/${name}.asc`;
}

/** Text of the one file with all repositories: deb822(5) for apt, INI for the others. */
export function renderRepositories(
  manager: PackageManager['name'],
  list: readonly PackageRepository[],
  keyOf = keyPath,
  access: ReadonlyMap<string, RepositoryAccess> = new Map(),
): string {
  const head = '# Written by the installer; installer reset and restore-host take it away.\n';
  const texts = list.map((repository) => {
    const { name, url } = repository;
    const key = keyOf(name);
    const own = access.get(name) ?? {};
    switch (manager) {
      case 'apt-get':
        return renderApt(repository, key);
      case 'dnf':
      case 'yum':
        return renderRpm(repository, key, rpmAccessLines(url, own));
      case 'zypper':
        return renderRpm({ ...repository, url: zypperUrl(name, url, own) }, key, []);
    }
  });
  return `${head}${texts.join('\n')}`;
}

function renderApt({ name, url, suites, components, keyFile }: PackageRepository, key: string): string {
  return [
    `X-Name: ${name}`,
    'Types: deb',
    `URIs: ${url}`,
    `Suites: ${suites.length === 0 ? './' : suites.join(' ')}`,
    ...(components.length === 0 ? [] : [`Components: ${components.join(' ')}`]),
    keyFile === undefined ? 'Trusted: yes' : `Signed-By: ${key}`,
    '',
  ].join('\n');
}

function renderRpm(
  { name, url, keyFile, signedIndex }: PackageRepository,
  key: string,
  access: readonly string[],
): string {
  return [
    `[installer-${name}]`,
    `name=${name}`,
    `baseurl=${url}`,
    'enabled=1',
    ...(keyFile === undefined ? ['gpgcheck=0'] : ['gpgcheck=1', `gpgkey=file://${key}`]),
    ...(signedIndex ? ['repo_gpgcheck=1'] : []),
    ...access,
    '',
  ].join('\n');
}

function putAsideStep(id: string, place: PackageManager['repositories']): Step {
  const others = commandQuery([
    'find',
    ...[place.folder, ...place.more],
    ...['-maxdepth', '1', '(', '-type', 'f', '-o', '-type', 'l', ')', '-size', '+0', '!', '-path', place.file],
  ]);
  return customStep(id, [others], (seen) => {
    const answer = seen(others);
    if (answer.state !== 'present')
      return blocked('FILE_UNREADABLE', `cannot list ${place.folder}`, 'see whether find works on the host');
    const paths = answer.value.stdout
      .split('\n')
      .filter((path) => /(\.list|\.sources|\.repo)$/.test(path))
      .toSorted();
    if (paths.length === 0) return noChanges;
    const change: Change = {
      summary: `put other package repositories aside: ${paths.join(', ')}`,
      actions: paths.map((path): Action => ({ kind: 'remove', path, record: {} })),
    };
    return changes(change);
  });
}
