import type { Scopes } from './challenge.ts';
import { createEndpoint, usualPatience, type Endpoint, type Patience } from './endpoint.ts';
import { isNotFound, isTransient, OciError } from './oci-errors.ts';
import type { RepositoryName } from './reference.ts';
import { baseUrlOf, type HostConfig, type RegistryOptions } from './registry-config.ts';

/** An endpoint and what repositories are called there. */
export interface Place {
  readonly endpoint: Endpoint;
  readonly prefix: string;
}

/** Does something at one place: `path` is the repository's name there, `scopes` what a token must allow. */
export type PlaceWork<T> = (place: Place, path: string, scopes: Scopes) => Promise<T>;

/** The registries that were spoken to so far, each with its connections and tokens. */
export interface Places {
  readonly patience: Patience;
  /** The registry itself: the only place that is written to. */
  readonly origin: (registry: string) => Place;
  /** Asks the mirrors, then the registry; a mirror that does not have it, or does not answer, is passed over. */
  readonly ask: <T>(name: RepositoryName, work: PlaceWork<T>) => Promise<T>;
  close(): void;
}

const defaultConnections = 16;

export function createPlaces(options: RegistryOptions): Places {
  const patience = { ...usualPatience, ...options.patience };
  const places = new Map<string, { readonly origin: Place; readonly mirrors: readonly Place[] }>();

  const placeOf = (host: string, prefix: string, config: HostConfig): Place => ({
    prefix: prefix === '' ? '' : `${prefix.replaceAll(/^\/+|\/+$/g, '')}/`,
    endpoint: createEndpoint({
      registry: host,
      baseUrl: baseUrlOf(host, config),
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
      const mirrors = (config.mirrors ?? []).map((mirror) => placeOf(mirror.host, mirror.prefix ?? '', mirror));
      found = { origin: placeOf(registry, '', config), mirrors };
      places.set(registry, found);
    }
    return found;
  };
  const actions = options.willPush === true ? ['pull', 'push'] : ['pull'];

  /** Asks the mirrors, then the registry; a mirror that does not have it, or does not answer, is passed over. */
  const ask = async <T>(
    name: RepositoryName,
    work: (place: Place, path: string, scopes: Scopes) => Promise<T>,
  ): Promise<T> => {
    const { origin, mirrors } = placesOf(name.registry);
    for (const mirror of mirrors) {
      const path = `${mirror.prefix}${name.repository}`;
      try {
        const result = await work(mirror, path, { [path]: ['pull'] });
        if (result !== undefined) return result;
      } catch (error) {
        if (!isNotFound(error) && !isTransient(error) && !(error instanceof OciError && isRefusal(error))) throw error;
      }
    }
    return work(origin, name.repository, { [name.repository]: actions });
  };

  return {
    patience,
    origin: (registry) => placesOf(registry).origin,
    ask,
    close() {
      for (const { origin, mirrors } of places.values())
        for (const { endpoint } of [origin, ...mirrors]) endpoint.close();
    },
  };
}

/** A mirror that does not let us in, or is no registry, is as good as one that is not there. */
function isRefusal({ code }: OciError): boolean {
  return ['OCI_UNAUTHORIZED', 'OCI_FORBIDDEN', 'OCI_NOT_A_REGISTRY', 'OCI_UNKNOWN_HOST', 'OCI_TLS'].includes(code);
}
