import { folderLayout, fromFolder } from '../hosts/packages/from-folder.ts';
import type { PackageSource } from '../hosts/packages/index.ts';
import type { Action } from '../ops/action.ts';
import { hostPaths } from '../ops/host-paths.ts';
import { renderRepositories } from '../steps/repositories-step.ts';
import type { Member } from './cluster.ts';
import { packageManagerOf } from './host-distro.ts';
import { supplyUrl, type Supply } from './supply.ts';

const folder = `${hostPaths.bundle}/packages`;

/**
 * The repositories of the host, or in their place, for the time of the installation, that of the bundle for its distribution. Undefined
 * where there is no package manager.
 */
export function packageSourceOf(
  member: Member,
  { supply }: { readonly supply: Supply | undefined },
): PackageSource | undefined {
  const manager = packageManagerOf(member);
  if (manager === undefined) return undefined;
  const { os, architecture } = member.facts;
  const repository = supply?.packages(`${os.id}-${os.versionId}-${architecture}`);
  const through = repository === undefined ? undefined : fromFolder(manager, folder);
  if (supply === undefined || repository === undefined || through === undefined) {
    return { manager, prepare: () => [], finish: [] };
  }
  const { file, folders } = folderLayout(manager.name, folder);
  const keyPath = `${folder}/key.asc`;
  const { path, key, suites, components, signedIndex } = repository;
  return {
    manager: through,
    finish: [{ kind: 'remove', path: folder }],
    prepare: () => {
      const url = `${supplyUrl(supply, member.host)}/${path}`;
      const source = { name: 'bundle', url, suites, components, signedIndex, keyFile: keyPath };
      return [
        ...folders.map((item): Action => ({ kind: 'directory', path: item, mode: '755' })),
        { kind: 'write-file', path: keyPath, content: key, mode: '644' },
        {
          kind: 'write-file',
          path: file,
          content: renderRepositories(manager.name, [source], () => keyPath),
          mode: '644',
        },
      ];
    },
  };
}
