import type { PackageManager } from './package-manager.ts';

/** A connection that is lost takes the repository with it for a moment; the one that is made anew may have put another address into the folder. */
const again = 'n=0; until "$@"; do s=$?; n=$((n + 1)); [ "$n" -lt 3 ] || exit "$s"; sleep 3; done';

/**
 * The same package manager with the repositories that a folder names and no others, for one call: what is configured on the host, its
 * lists and its caches stay as they are. Undefined for those that cannot do that.
 */
export function fromFolder(manager: PackageManager, folder: string): PackageManager | undefined {
  const options = optionsOf(manager.name, folder);
  if (options === undefined) return undefined;
  const { rehearsal } = manager;
  const withOptions = ([program = '', ...rest]: readonly string[]): string[] => [program, ...options, ...rest];
  const tryAgain = (command: readonly string[]): string[] => ['sh', '-c', again, 'sh', ...withOptions(command)];
  return {
    ...manager,
    // The repository answers on the host itself: no proxy leads there.
    env: { ...manager.env, no_proxy: '127.0.0.1' },
    refresh: tryAgain(manager.refresh),
    install: (names) => tryAgain(manager.install(names)),
    ...(rehearsal === undefined
      ? {}
      : { rehearsal: { ...rehearsal, try: (names) => withOptions(rehearsal.try(names)) } }),
  };
}

/** The file that names the repositories in such a folder, and the folders that must be there. */
export function folderLayout(
  name: PackageManager['name'],
  folder: string,
): { readonly file: string; readonly folders: readonly string[] } {
  if (name !== 'apt-get') return { file: `${folder}/repos/bundle.repo`, folders: [] };
  return { file: `${folder}/bundle.sources`, folders: [`${folder}/lists/partial`] };
}

function optionsOf(name: PackageManager['name'], folder: string): readonly string[] | undefined {
  const { file } = folderLayout(name, folder);
  switch (name) {
    case 'apt-get':
      return [
        `Dir::Etc::SourceList=${file}`,
        'Dir::Etc::SourceParts=-',
        `Dir::State::Lists=${folder}/lists`,
        'Dir::Cache::pkgcache=',
        'Dir::Cache::srcpkgcache=',
        // The folder is root's alone.
        'APT::Sandbox::User=root',
        'APT::Update::Error-Mode=any',
        'Acquire::http::Proxy=DIRECT',
      ].flatMap((option) => ['-o', option]);
    case 'dnf':
    case 'yum':
      return [`--setopt=reposdir=${folder}/repos`, `--setopt=cachedir=${folder}/cache`, '--setopt=proxy='];
    case 'zypper':
      return undefined;
  }
}
