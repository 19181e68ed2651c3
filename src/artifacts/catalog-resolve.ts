import type { ClusterConfig } from '../spec/schema.ts';
import { chooseKubernetes, getRelease, incomplete, newestListed } from './catalog-choose.ts';
import {
  type Architecture,
  type Catalog,
  type CatalogRelease,
  type ComponentName,
  kubernetesBinaries,
} from './catalog-schema.ts';
import { mirrorUrl } from './mirror.ts';

/** One file to download. */
export interface Artifact {
  /** `kubeadm`, `containerd`, `cni-plugins` and so on. */
  readonly name: string;
  readonly version: string;
  readonly arch: Architecture;
  readonly url: string;
  /** Pinned SHA-256 in hex; absent where the catalog has none. */
  readonly sha256?: string;
  /** Where the publisher gives the checksum; used only where none is pinned. */
  readonly checksumUrl?: string;
}

/** Everything that a cluster of one Kubernetes version needs, by exact version. */
export interface ResolvedVersions {
  readonly kubernetes: { readonly version: string; readonly minor: string };
  /** kubeadm, kubelet and kubectl, each for every architecture. */
  readonly binaries: readonly Artifact[];
  /** containerd, runc, cni-plugins and crictl, each for every architecture. */
  readonly components: readonly Artifact[];
  readonly images: {
    /** What `kubeadm config images list` names: the control plane, CoreDNS, etcd and pause. */
    readonly kubernetes: readonly string[];
    readonly coredns: string;
    readonly etcd: string;
    readonly pause: string;
    /** Images of the network plugin; empty for plugin none. */
    readonly network: readonly string[];
    /** Image of the pods that verify the cluster. */
    readonly probe: string;
  };
  /** What the reader should know: missing pins, versions that the catalog does not list. */
  readonly notes: readonly string[];
}

const hostComponents = ['containerd', 'runc', 'cni-plugins', 'crictl'] as const satisfies readonly ComponentName[];

type Pins = CatalogRelease['sha256'];

/** One release with the templates of its addresses. */
interface Download {
  readonly name: string;
  readonly version: string;
  readonly url: string;
  readonly checksumUrl?: string | undefined;
  readonly sha256?: Pins;
}

/**
 * Chooses the exact version of everything for the cluster: pure, no network. `catalogs` are merged already
 * (mergeCatalogs); `architectures` are those of the hosts. Throws InstallerError CATALOG_UNKNOWN_VERSION where no
 * catalog covers a wanted version, CATALOG_INCOMPLETE where one lacks a needed entry (both exit code 2).
 */
export function resolveVersions(
  catalogs: readonly Catalog[],
  config: ClusterConfig,
  architectures: readonly Architecture[],
): ResolvedVersions {
  const { kubernetes, network, runtime, artifacts } = config.spec;
  const { catalog, version } = chooseKubernetes(catalogs, kubernetes.version);
  const toArtifacts = (downloads: readonly Download[]): Artifact[] =>
    downloads.flatMap((download) => architectures.map((arch) => toArtifact(download, arch, artifacts.mirrors)));

  const binaries = toArtifacts(kubernetesDownloads(catalog, version));
  const components = toArtifacts(
    hostComponents.map((name) => {
      const release = getRelease(catalog, name, name === 'containerd' ? runtime.containerd.version : undefined);
      if (release.url === undefined)
        throw incomplete(catalog, `spec.components.${name}.versions["${release.version}"].url`);
      return { ...release, name, url: release.url };
    }),
  );
  const images = kubernetesImages(catalog, version);
  return {
    kubernetes: { version, minor: catalog.spec.minor },
    binaries,
    components,
    images: {
      kubernetes: images.list,
      coredns: getImage(catalog, images.list, 'coredns'),
      etcd: getImage(catalog, images.list, 'etcd'),
      pause: getImage(catalog, images.list, 'pause'),
      network: network.plugin === 'none' ? [] : componentImages(catalog, network.plugin),
      probe: componentImages(catalog, 'probe')[0],
    },
    notes: [...images.notes, ...notesOnPins([...binaries, ...components])],
  };
}

function kubernetesDownloads(catalog: Catalog, version: string): Download[] {
  return kubernetesBinaries.map((name) => ({
    name,
    version,
    url: `https://dl.k8s.io/{version}/bin/linux/{arch}/${name}`,
    checksumUrl: '{url}.sha256',
    sha256: catalog.spec.kubernetes[version]?.binaries?.[name],
  }));
}

function toArtifact(download: Download, arch: Architecture, mirrors: Readonly<Record<string, string>>): Artifact {
  const { name, version } = download;
  const fill = (template: string): string => template.replaceAll('{arch}', arch).replaceAll('{version}', version);
  const url = fill(download.url);
  const sha256 = download.sha256?.[arch];
  const checksumUrl =
    download.checksumUrl === undefined ? undefined : fill(download.checksumUrl.replaceAll('{url}', url));
  return {
    name,
    version,
    arch,
    url: mirrorUrl(url, mirrors),
    ...(sha256 === undefined ? {} : { sha256 }),
    ...(checksumUrl === undefined ? {} : { checksumUrl: mirrorUrl(checksumUrl, mirrors) }),
  };
}

/** A patch that is not listed takes its neighbours' etcd, CoreDNS and pause: these seldom change inside a minor. */
function kubernetesImages(catalog: Catalog, version: string): { list: readonly string[]; notes: readonly string[] } {
  const own = catalog.spec.kubernetes[version]?.images;
  if (own !== undefined) return { list: own, notes: [] };
  const neighbour = newestListed(catalog);
  const images = neighbour === undefined ? undefined : catalog.spec.kubernetes[neighbour]?.images;
  if (neighbour === undefined || images === undefined)
    throw incomplete(catalog, `spec.kubernetes["${version}"].images`);
  const list = images.map((image) => {
    const tag = `:${neighbour}`;
    return image.endsWith(tag) ? `${image.slice(0, -tag.length)}:${version}` : image;
  });
  const note = `the catalog does not list Kubernetes ${version}: etcd, CoreDNS and pause are those of ${neighbour}`;
  return { list, notes: [note] };
}

/** The image whose repository ends in `name`. */
function getImage(catalog: Catalog, images: readonly string[], name: string): string {
  const found = images.find((image) => image.replace(/[:@][^/]*$/, '').endsWith(`/${name}`));
  if (found === undefined) throw incomplete(catalog, `image "${name}" under spec.kubernetes`);
  return found;
}

function componentImages(catalog: Catalog, name: ComponentName): readonly [string, ...string[]] {
  const { version, images } = getRelease(catalog, name);
  const [first, ...rest] = images ?? [];
  if (first === undefined) throw incomplete(catalog, `spec.components.${name}.versions["${version}"].images`);
  return [first, ...rest];
}

/** One sentence for each file that no checksum is pinned for. */
function notesOnPins(artifacts: readonly Artifact[]): string[] {
  const unpinned = Map.groupBy(
    artifacts.filter(({ sha256 }) => sha256 === undefined),
    ({ name, version }) => `${name} ${version}`,
  );
  return [...unpinned].map(([what, group]) => {
    const where = group.map(({ arch }) => arch).join(', ');
    const instead = group.every(({ checksumUrl }) => checksumUrl !== undefined)
      ? '; the published one is used'
      : ', and none is published: the download is not verified';
    return `no pinned checksum for ${what} (${where})${instead}`;
  });
}
