import { debian, ubuntu, uos } from './debian.ts';
import type { Distro } from './distro.ts';
import { alma, amazon, anolis, centos, fedora, kylin, openEuler, oracle, rhel, rocky, tencent } from './rhel.ts';
import { suse } from './suse.ts';

export type { Distro };

export const distros: readonly Distro[] = [
  ...[debian, ubuntu, uos, rhel, centos, rocky, alma, oracle, anolis, tencent, fedora, amazon, openEuler, kylin, suse],
];

/** By ID of os-release(5), then by ID_LIKE in its order; undefined for what is not known at all. */
export function findDistro(os: { readonly id: string; readonly idLike: readonly string[] }): Distro | undefined {
  for (const id of [os.id, ...os.idLike]) {
    const found = distros.find(({ ids }) => ids.includes(id));
    if (found !== undefined) return found;
  }
  return undefined;
}
