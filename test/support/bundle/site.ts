import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { createHash, randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { resolveVersions, type Architecture } from '../../../src/artifacts/catalog.ts';
import { loadCatalogs } from '../../../src/artifacts/load-catalogs.ts';
import { createBundle, type CreateOptions } from '../../../src/bundle/create.ts';
import { wantedOf } from '../../../src/bundle/wanted.ts';
import type { VerifiedResult } from '../../../src/bundle/write-verified.ts';
import { parseRange } from '../../../src/oci/serve-names.ts';
import { parseReference } from '../../../src/oci/reference.ts';
import { createRegistryStore } from '../../../src/oci/registry.ts';
import { parseClusterConfig } from '../../../src/spec/load.ts';
import type { ClusterConfig } from '../../../src/spec/schema.ts';
import { makeImage, makeIndex, putIndex, randomBlob, type TestIndex } from '../oci/images.ts';
import { TestRegistry } from '../oci/registry.ts';

export const versions = ['v1.36.3', 'v1.37.1'] as const;
export const bothPlatforms = ['linux/amd64', 'linux/arm64'] as const;

/** Everything that an installation fetches, made up and small, served on this machine. */
export interface Site {
  readonly registry: TestRegistry;
  readonly files: FileServer;
  readonly clusterFile: string;
  readonly config: ClusterConfig;
  readonly images: ReadonlyMap<string, TestIndex>;
  /** Bytes of blobs and files sent so far. */
  readonly sentBytes: () => number;
  create(options: Partial<CreateOptions> & { readonly path: string }): Promise<VerifiedResult>;
  close(): Promise<void>;
}

export interface SiteOptions {
  /** Size of the largest layer; others are smaller. */
  readonly layerBytes?: number;
  readonly fileBytes?: number;
  /** Leave the checksum of this file out of the catalog. */
  readonly unpinned?: string;
  /** Port at which the registry is asked: that of a proxy in front of it. */
  readonly registryPort?: (port: number) => number;
}

/** A server of files by host and path: `/dl.k8s.io/v1.36.3/…`. */
export class FileServer {
  readonly contents = new Map<string, Buffer>();
  readonly asked: string[] = [];
  sentBytes = 0;
  fault: ((path: string, response: ServerResponse, request: IncomingMessage) => boolean) | undefined;
  private server: Server = createServer();

  /** With `tls` (PEM) it answers over HTTPS. */
  async start(tls?: { readonly cert: string; readonly key: string }): Promise<this> {
    const answer = (request: IncomingMessage, response: ServerResponse): void => this.answer(request, response);
    this.server = tls === undefined ? createServer(answer) : createTlsServer(tls, answer);
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    return this;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.server.close(() => {
        resolve();
      });
      this.server.closeAllConnections();
    });
  }

  private answer(request: IncomingMessage, response: ServerResponse): void {
    const path = request.url ?? '';
    this.asked.push(`${request.method ?? ''} ${path}`);
    if (this.fault?.(path, response, request) === true) return;
    const bytes = this.contents.get(decodeURIComponent(path));
    if (bytes === undefined) {
      response.writeHead(404).end();
      return;
    }
    const range = parseRange(request.headers.range, bytes.length);
    const { startByte, endByte } = typeof range === 'string' ? { startByte: 0, endByte: bytes.length } : range;
    response.writeHead(typeof range === 'string' ? 200 : 206, { 'content-length': endByte - startByte });
    if (request.method === 'HEAD') {
      response.end();
      return;
    }
    const write = (at: number): void => {
      if (at >= endByte) {
        response.end();
        return;
      }
      const piece = bytes.subarray(at, Math.min(at + 65_536, endByte));
      response.write(piece, () => {
        this.sentBytes += piece.length;
        write(at + piece.length);
      });
    };
    write(startByte);
  }
}

/** Makes a site in a folder: the images and files of two Kubernetes versions, for both architectures. */
export async function openSite(dir: string, options: SiteOptions = {}): Promise<Site> {
  const { layerBytes = 40_000, fileBytes = 30_000 } = options;
  const registry = await new TestRegistry({ takesSparse: true }).start();
  const files = await new FileServer().start();
  const plain = parseClusterConfig(clusterText({ catalogs: [], mirror: '', downloads: '' }), 'plain.yaml', dir);
  const catalogs = await loadCatalogs(plain);
  const archs: readonly Architecture[] = ['amd64', 'arm64'];
  const hops = versions.map((version) =>
    resolveVersions(
      catalogs,
      { ...plain, spec: { ...plain.spec, kubernetes: { ...plain.spec.kubernetes, version } } },
      archs,
    ),
  );
  const wanted = wantedOf(hops);
  const sums = new Map<string, string>();
  for (const { url } of wanted.files) {
    const { host, pathname } = new URL(url);
    const bytes = randomBytes(fileBytes + files.contents.size * 7);
    files.contents.set(`/${host}${pathname}`, bytes);
    sums.set(url, createHash('sha256').update(bytes).digest('hex'));
  }
  const overlays = await Promise.all(
    hops.map(async (hop) => {
      const path = join(dir, `catalog-${hop.kubernetes.minor}.yaml`);
      await writeFile(path, stringify(overlayOf(hop, sums, options.unpinned)));
      return path;
    }),
  );
  const port = options.registryPort?.(registry.port) ?? registry.port;
  const clusterFile = join(dir, 'clusterConfig.yaml');
  const text = clusterText({
    catalogs: overlays,
    mirror: `http://127.0.0.1:${port}`,
    downloads: `http://127.0.0.1:${files.port}`,
  });
  await writeFile(clusterFile, text);
  const images = await fillRegistry(
    registry,
    wanted.images.map(({ name }) => name),
    layerBytes,
  );
  const config = parseClusterConfig(text, clusterFile, dir);
  return {
    registry,
    files,
    clusterFile,
    config,
    images,
    sentBytes: () => registry.sentBytes + files.sentBytes,
    create: (more) =>
      createBundle({
        config,
        platforms: ['linux/amd64'],
        // Its images are named by tags, as everywhere.
        allowUnpinned: true,
        installers: [],
        env: {},
        addSecret: () => undefined,
        onNote: () => undefined,
        baseDelayMs: 1,
        patience: { baseDelayMs: 1, maxDelayMs: 20 },
        ...more,
      }),
    async close() {
      await registry.close();
      await files.close();
    },
  };
}

async function fillRegistry(
  registry: TestRegistry,
  names: readonly string[],
  layerBytes: number,
): Promise<ReadonlyMap<string, TestIndex>> {
  const store = createRegistryStore();
  const images = new Map<string, TestIndex>();
  const shared = randomBlob(Math.ceil(layerBytes / 4));
  for (const [number, name] of names.entries()) {
    const { repository, tag } = parseReference(name);
    const members = ['amd64', 'arm64'].map((architecture) => {
      const platform = { os: 'linux', architecture };
      const layers = [shared, randomBlob(Math.ceil(layerBytes / (1 + (number % 5))))];
      return { platform, image: makeImage(layers, { platform }) };
    });
    const index = makeIndex(members);
    await putIndex(store, { registry: registry.host, repository, ...(tag === undefined ? {} : { tag }) }, index);
    images.set(name, index);
  }
  await store.close();
  registry.sentBytes = 0;
  registry.asked.length = 0;
  return images;
}

/** A catalog in which everything of a version is pinned to these digests. */
export function overlayOf(
  hop: ReturnType<typeof resolveVersions>,
  sums: ReadonlyMap<string, string>,
  unpinned?: string,
): {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: object;
  readonly spec: {
    readonly minor: string;
    readonly kubernetes: Readonly<Record<string, object>>;
    readonly components: Readonly<Record<string, object>>;
  };
} {
  const pins = (name: string): object | undefined => {
    if (name === unpinned) return undefined;
    const all = [...hop.binaries, ...hop.components].filter((artifact) => artifact.name === name);
    return Object.fromEntries(all.map(({ arch, url }) => [arch, sums.get(url)]));
  };
  const unpinnedVersion = '9.9.9';
  const component = (name: string): object => {
    const [found] = hop.components.filter((artifact) => artifact.name === name);
    if (found === undefined) throw new Error(`no ${name}`);
    if (name !== unpinned) return { versions: { [found.version]: { sha256: pins(name) } } };
    const url = found.url.replace(found.arch, '{arch}');
    return { default: unpinnedVersion, versions: { [unpinnedVersion]: { url, checksumUrl: '{url}.sha256' } } };
  };
  return {
    apiVersion: 'installer.io/v1alpha1',
    kind: 'Catalog',
    metadata: { name: 'test' },
    spec: {
      minor: hop.kubernetes.minor,
      kubernetes: {
        [hop.kubernetes.version]: {
          binaries: Object.fromEntries(['kubeadm', 'kubelet', 'kubectl'].map((name) => [name, pins(name)])),
        },
      },
      components: Object.fromEntries(
        ['containerd', 'runc', 'cni-plugins', 'crictl'].map((name) => [name, component(name)]),
      ),
    },
  };
}

/** The text of a cluster file of one host that fetches everything from these addresses. */
export function clusterText({
  catalogs,
  mirror,
  downloads,
}: {
  readonly catalogs: readonly string[];
  readonly mirror: string;
  readonly downloads: string;
}): string {
  const hosts = ['registry.k8s.io', 'ghcr.io', 'docker.io'];
  return stringify({
    apiVersion: 'installer.io/v1alpha1',
    kind: 'ClusterConfig',
    metadata: { name: 'site' },
    spec: {
      hosts: [{ name: 'node1', address: '192.0.2.1', roles: ['control-plane', 'worker'] }],
      kubernetes: { version: versions[0] },
      ...(mirror === ''
        ? {}
        : { runtime: { registries: Object.fromEntries(hosts.map((host) => [host, { mirrors: [mirror] }])) } }),
      artifacts: {
        catalogs,
        ...(downloads === ''
          ? {}
          : {
              mirrors: Object.fromEntries(['dl.k8s.io', 'github.com'].map((host) => [host, `${downloads}/${host}`])),
            }),
      },
    },
  });
}
