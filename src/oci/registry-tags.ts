import { notARegistry } from './http-errors.ts';
import { bareMediaType } from './media-types.ts';
import { formatRepositoryName, type RepositoryName } from './reference.ts';
import type { Endpoint } from './endpoint.ts';
import type { EndpointAnswer } from './endpoint-send.ts';
import type { Places } from './registry-places.ts';

/** All tags of a repository, page by page, sorted. */
export function listTags({ ask }: Places, name: RepositoryName, signal?: AbortSignal): Promise<readonly string[]> {
  return ask(name, async (place, path, scopes) => {
    const what = `listing the tags of ${formatRepositoryName(name)}`;
    const tags = new Set<string>();
    let target: string | undefined = `/v2/${path}/tags/list`;
    while (target !== undefined) {
      const answer: EndpointAnswer = await place.endpoint.request({
        method: 'GET',
        target,
        scopes,
        what,
        signal,
        accept: [200, 404],
      });
      const text = await answer.text();
      if (answer.status === 404) break;
      for (const tag of parseTags(text) ?? refuseTags(place.endpoint, what, answer)) tags.add(tag);
      const next = /<([^>]+)>\s*;\s*rel="?next"?/.exec(answer.headers.get('link') ?? '')?.[1];
      target = next === undefined ? undefined : new URL(next, answer.url).href;
    }
    return [...tags].sort();
  });
}

function parseTags(text: string): readonly string[] | undefined {
  try {
    const { tags } = JSON.parse(text) as { tags?: unknown };
    if (tags === null || tags === undefined) return [];
    return Array.isArray(tags) ? tags.filter((tag): tag is string => typeof tag === 'string') : undefined;
  } catch {
    return undefined;
  }
}

function refuseTags(endpoint: Endpoint, what: string, answer: EndpointAnswer): never {
  throw notARegistry(endpoint.doing(what), bareMediaType(answer.headers.get('content-type') ?? ''));
}
