import type { Scopes } from './challenge.ts';
import { createEndpoint, usualPatience, type Endpoint } from './endpoint.ts';
import type { Digest } from './digest.ts';
import { isNotFound, OciError } from './oci-errors.ts';
import { formatRepositoryName, type RepositoryName } from './reference.ts';
import { baseUrlOf, type HostConfig, type MirrorConfig, type RegistryOptions } from './registry-config.ts';

/** An endpoint and what repositories are called there. */
export interface Place {
  readonly endpoint: Endpoint;
  readonly prefix: string;
}

/** Does something at one place: `path` is the repository's name there, `scopes` what a token must allow. */
export type PlaceWork<T> = (place: Place, path: string, scopes: Scopes) => Promise<T>;

/** The registries that were spoken to so far, each with its connections and tokens. */
export interface Places {
  /** The registry itself: the only place that is written to. */
  readonly origin: (registry: string) => Place;
  /** Asks the mirrors, then the registry; a mirror that does not have it, or does not answer, is passed over. */
  readonly ask: <T>(name: RepositoryName, work: PlaceWork<T>) => Promise<T>;
  /** As `ask`, for a blob: mirrors that gave other bytes for it are left out. */
  readonly askForBlob: <T>(name: RepositoryName, digest: Digest, work: PlaceWork<T>) => Promise<T>;
  /** Takes note that the bytes that came last for a blob were others. True where a mirror gave them: it is not asked for that blob again. */
  readonly distrust: (name: RepositoryName, digest: Digest) => boolean;
  close(): void;
}

const defaultConnections = 32;

export function createPlaces(options: RegistryOptions): Places {
  const patience = { ...usualPatience, ...options.patience };
  const places = new Map<string, { readonly origin: Place; readonly mirrors: readonly Place[] }>();

  const placeOf = (host: string, config: HostConfig, { prefix = '', path }: Partial<MirrorConfig> = {}): Place => ({
    prefix: prefix === '' ? '' : `${prefix.replaceAll(/^\/+|\/+$/g, '')}/`,
    endpoint: createEndpoint({
      registry: host,
      baseUrl: baseUrlOf(host, config),
      basePath: path,
      credentials: options.credentials ?? (() => Promise.resolve(undefined)),
      connection: {
        ca: config.ca,
        insecure: config.insecure,
        connect: config.connect,
        proxyEnv: options.proxyEnv,
        maxConnections: options.maxConnections ?? defaultConnections,
      },
      patience,
      onRequest: options.onRequest,
    }),
  });
  const placesOf = (registry: string): { readonly origin: Place; readonly mirrors: readonly Place[] } => {
    let found = places.get(registry);
    if (found === undefined) {
      const config = options.hosts?.[registry] ?? {};
      const mirrors = (config.mirrors ?? []).map((mirror) => placeOf(mirror.host, mirror, mirror));
      found = { origin: placeOf(registry, config), mirrors };
      places.set(registry, found);
    }
    return found;
  };
  const actions = options.willPush === true ? ['pull', 'push'] : ['pull'];

  /** What came last for a blob came from there. */
  const givers = new Map<string, Place>();
  const distrusted = new Map<string, Set<Place>>();
  const keyOf = (name: RepositoryName, digest: Digest): string => `${formatRepositoryName(name)}@${digest}`;

  const ask = async <T>(name: RepositoryName, work: PlaceWork<T>, digest?: Digest): Promise<T> => {
    const { origin, mirrors } = placesOf(name.registry);
    const key = digest === undefined ? undefined : keyOf(name, digest);
    const failures: OciError[] = [];
    for (const mirror of mirrors) {
      if (key !== undefined && distrusted.get(key)?.has(mirror) === true) continue;
      const path = `${mirror.prefix}${name.repository}`;
      try {
        const result = await work(mirror, path, { [path]: ['pull'] });
        if (key !== undefined) givers.set(key, mirror);
        if (result !== undefined) return result;
      } catch (error) {
        // Whatever a mirror answers: the registry may know better.
        if (!(error instanceof OciError)) throw error;
        if (!isNotFound(error)) failures.push(error);
      }
    }
    if (key !== undefined) givers.delete(key);
    try {
      return await work(origin, name.repository, { [name.repository]: actions });
    } catch (error) {
      throw error instanceof OciError ? withMirrors(error, failures) : error;
    }
  };

  return {
    origin: (registry) => placesOf(registry).origin,
    ask: (name, work) => ask(name, work),
    askForBlob: (name, digest, work) => ask(name, work, digest),
    distrust(name, digest) {
      const key = keyOf(name, digest);
      const giver = givers.get(key);
      if (giver === undefined) return false;
      distrusted.set(key, (distrusted.get(key) ?? new Set()).add(giver));
      return true;
    },
    close() {
      for (const { origin, mirrors } of places.values())
        for (const { endpoint } of [origin, ...mirrors]) endpoint.close();
    },
  };
}

/** The registry's error, with what its mirrors said before: where it cannot be reached at all, one of them is what has to be mended. */
function withMirrors(error: OciError, failures: readonly OciError[]): OciError {
  if (failures.length === 0) return error;
  const { code, retryAfterMs, status, mayPass } = error;
  const remedies = new Set([error, ...failures].flatMap(({ remedy }) => (remedy === undefined ? [] : [remedy])));
  return new OciError({
    code,
    message: [error.message, ...failures.map(({ message }) => `its mirror before: ${message}`)].join('; '),
    remedy: [...remedies].join('; or '),
    cause: error,
    retryAfterMs,
    status,
    mayPass,
  });
}
