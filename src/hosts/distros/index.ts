import { debian, ubuntu, uos } from './debian.ts';
import type { Distro } from './distro.ts';
import { alma, amazon, anolis, centos, fedora, kylin, openEuler, oracle, rhel, rocky, tencent } from './rhel.ts';
import { flatcar, micro, suse, tumbleweed } from './suse.ts';

export type { Distro };

export const distros: readonly Distro[] = [
  ...[debian, ubuntu, uos, rhel, centos, rocky, alma, oracle, anolis, tencent, fedora, amazon, openEuler, kylin, suse],
  ...[tumbleweed, micro, flatcar],
];

/** By ID of os-release(5), then by ID_LIKE in its order; undefined for what is not known at all. */
export function findDistro(os: { readonly id: string; readonly idLike: readonly string[] }): Distro | undefined {
  for (const id of [os.id, ...os.idLike]) {
    const found = distros.find(({ ids }) => ids.includes(id.toLowerCase()));
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Whether a release is one that is named, or a later one; undefined where that cannot be said. */
export function isKnownRelease({ releases }: Distro, versionId: string): boolean | undefined {
  const last = releases.at(-1);
  if (last === undefined || versionId === '') return undefined;
  const version = versionId.toUpperCase();
  const isNamed = releases.some(
    (release) => version === release || (/^[^0-9]/.test(version.slice(release.length)) && version.startsWith(release)),
  );
  return isNamed || compareReleases(version, last) > 0;
}

/** By the numbers in them: `8.10` is later than `8.9`. */
function compareReleases(a: string, b: string): number {
  const [left, right] = [a, b].map((text) => (text.match(/\d+/g) ?? []).map(Number));
  for (const [index, number] of (left ?? []).entries()) {
    const difference = number - (right?.[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return (left?.length ?? 0) - (right?.length ?? 0);
}

/** `Ubuntu 20.04, 22.04 or later`. */
export function describeDistro({ name, releases }: Distro): string {
  return releases.length === 0 ? name : `${name} ${releases.join(', ')} or later`;
}
