import { parseReference, parseRepositoryName, type Reference, type RepositoryName } from './reference.ts';

/**
 * The repository that a path of a request means. containerd says the host it mirrors in the query (`ns=registry.k8s.io`). Others have
 * the host in the path (`registry.k8s.io/pause`); a path without a host is the repository of that name that the store holds
 * under whichever host, else Docker Hub's. Undefined where the path can be no repository.
 */
export function nameOfPath(path: string, ns: string | null, known: readonly Reference[]): RepositoryName | undefined {
  try {
    if (ns !== null && ns !== '') return parseRepositoryName(`${ns}/${path}`);
    const [first = ''] = path.split('/');
    if (path.includes('/') && /[.:]|^localhost$/.test(first)) return parseRepositoryName(path);
    const found = known.find(({ repository }) => repository === path);
    return found
      ? { registry: found.registry, repository: found.repository }
      : parseRepositoryName(`docker.io/${path}`);
  } catch {
    return undefined;
  }
}

/** The reference for a name and what stood behind `manifests/`; undefined where that is neither tag nor digest. */
export function referenceOfPath(name: RepositoryName, tagOrDigest: string): Reference | undefined {
  try {
    const mark = tagOrDigest.includes(':') ? '@' : ':';
    return parseReference(`${name.registry}/${name.repository}${mark}${tagOrDigest}`);
  } catch {
    return undefined;
  }
}

/**
 * Reads a Range header of one range for a content of `sizeBytes` (RFC 9110, section 14). `whole` where there is none, or one that is to be
 * ignored; `invalid` where it lies outside. `endByte` is not part of the range.
 */
export function parseRange(
  header: string | undefined,
  sizeBytes: number,
): { readonly startByte: number; readonly endByte: number } | 'whole' | 'invalid' {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header?.trim() ?? '');
  if (match === null) return 'whole';
  const [, first = '', last = ''] = match;
  if (first === '' && last === '') return 'whole';
  if (first === '') {
    const count = Math.min(Number(last), sizeBytes);
    return count === 0 ? 'invalid' : { startByte: sizeBytes - count, endByte: sizeBytes };
  }
  const startByte = Number(first);
  const endByte = last === '' ? sizeBytes : Math.min(Number(last) + 1, sizeBytes);
  return startByte >= sizeBytes || endByte <= startByte ? 'invalid' : { startByte, endByte };
}
