import type { Connect } from './agent.ts';
import type { CredentialSource } from './credentials.ts';
import type { Patience } from './endpoint.ts';
import type { RequestEvent } from './endpoint-send.ts';

/** A place that is asked before the registry itself, for reading only. */
export interface MirrorConfig extends HostConfig {
  /** Host, with a port where it is not the usual one. Credentials are looked up under this name. */
  readonly host: string;
  /** Put in front of repositories there: `docker.io` makes `library/nginx` into `docker.io/library/nginx`. */
  readonly prefix?: string | undefined;
  /** Path below which the API lies: `/artifacts/docker` is asked at `/artifacts/docker/v2/`, as containerd does. */
  readonly path?: string | undefined;
}

/** How one host is spoken to. */
export interface HostConfig {
  /** HTTP without TLS. Defaults to true for the machine itself (localhost, 127.x, [::1]), else false. */
  readonly plainHttp?: boolean | undefined;
  /** Accept any certificate, and plain HTTP where there is no TLS. */
  readonly insecure?: boolean | undefined;
  /** PEM text of certificates to trust besides the usual ones. */
  readonly ca?: string | undefined;
  /** Makes connections to it some other way, through SSH for example. For callers of the library: no command sets it. */
  readonly connect?: Connect | undefined;
}

/** How registries are spoken to. */
export interface RegistryOptions {
  /** Settings by registry, as references name it (`docker.io`, `10.0.0.1:5000`). */
  readonly hosts?:
    Readonly<Record<string, HostConfig & { readonly mirrors?: readonly MirrorConfig[] | undefined }>> | undefined;
  /** Who we are; anonymous where nothing is given. */
  readonly credentials?: CredentialSource | undefined;
  /** Environment with HTTPS_PROXY, HTTP_PROXY and NO_PROXY; no proxy where nothing is given. */
  readonly proxyEnv?: NodeJS.ProcessEnv | undefined;
  /** Connections to one host at once; 32 where nothing else is said. */
  readonly maxConnections?: number | undefined;
  /**
   * Bytes of one request of an upload. Where nothing is given a blob goes in one request, which costs the fewest trips. Where a proxy
   * refuses that for its size (413), smaller chunks are tried, from 64 MiB down to 256 KiB, and what went through is kept to.
   */
  readonly chunkBytes?: number | undefined;
  /** Ask for the right to push with the first token, so that a target needs no second one. */
  readonly willPush?: boolean | undefined;
  readonly patience?: Partial<Patience> | undefined;
  /** Called for each request that was answered or failed. */
  readonly onRequest?: ((event: RequestEvent) => void) | undefined;
}

/** The host that answers for a registry: Docker Hub's is not the one of its name. */
export function apiHost(registry: string): string {
  return registry === 'docker.io' ? 'registry-1.docker.io' : registry;
}

/** Scheme, host and port of a host. */
export function baseUrlOf(host: string, { plainHttp }: HostConfig): string {
  return `${(plainHttp ?? isThisMachine(host)) ? 'http' : 'https'}://${apiHost(host)}`;
}

function isThisMachine(host: string): boolean {
  return /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])(?::\d+)?$/.test(host);
}
