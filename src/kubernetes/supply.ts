import type { Artifact } from '../artifacts/catalog.ts';
import { InternalError } from '../errors.ts';
import type { Host } from '../hosts/host.ts';
import type { FetchAction } from '../ops/action.ts';
import type { LocalService } from '../transport/publish.ts';

/** A repository of packages in a bundle. */
export interface SuppliedPackages {
  /** Where the service has it, without a slash in front. */
  readonly path: string;
  /** Text of the keys that its packages are proven by. */
  readonly key: string;
  /** For apt only. */
  readonly suites: readonly string[];
  readonly components: readonly string[];
  /** Of rpm: the index is signed, too. */
  readonly signedIndex: boolean;
}

/** What hosts get everything from in this run, through their own connections: a bundle that is served by this process. */
export interface Supply {
  /** For people: the bundle, and who signed it. */
  readonly description: string;
  /** Registry and file server; connections publish it on the loopback of each host. */
  readonly service: LocalService;
  /** `linux/amd64` */
  readonly platforms: readonly string[];
  /** Ports by name of the host, of its latest connection. */
  readonly ports: Map<string, number>;
  /** The digest that an image has in the bundle. */
  imageDigest(image: string): string | undefined;
  /** The repository of a release and architecture (`debian-12-amd64`), where its packages can be proven. */
  packages(name: string): SuppliedPackages | undefined;
  /** What a reader should know of it. */
  readonly notes: readonly string[];
  /** A file by its publisher's address: where the service has it, and its digest in hex. */
  file(url: string): { readonly path: string; readonly sha256: string } | undefined;
}

/** Where the service answers on a host, now: a new connection may have another port. */
export function supplyUrl(supply: Supply, host: Host): string {
  const port = supply.ports.get(host.name);
  if (port === undefined) throw new InternalError(`${host.name}: the bundle is not published`);
  return `http://127.0.0.1:${port}`;
}

/** Where a host fetches a file from in place of its usual address; undefined in a run without a bundle. */
export function fetchSource(
  { supply }: { readonly supply: Supply | undefined },
  host: Host,
  { url }: Artifact,
): (() => Pick<FetchAction, 'url' | 'sha256'>) | undefined {
  if (supply === undefined) return undefined;
  return () => {
    const file = supply.file(url);
    if (file === undefined) throw new InternalError(`${url} is not in the bundle, which was found to be whole`);
    return { url: `${supplyUrl(supply, host)}${file.path}`, sha256: file.sha256 };
  };
}
