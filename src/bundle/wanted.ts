import type { Artifact, ResolvedVersions } from '../artifacts/catalog.ts';
import type { Digest } from '../oci/digest.ts';
import { formatItem } from './format-item.ts';
import { formatReference, parseReference } from '../oci/reference.ts';

/** An image that a bundle shall hold; its name is a whole reference. */
export interface WantedImage {
  readonly name: string;
  /** What it must be, where who asks for it says so. */
  readonly digest?: Digest | undefined;
  readonly why: readonly string[];
}

/** A file that a bundle shall hold. */
export interface WantedFile {
  readonly kind: string;
  readonly name: string;
  readonly version?: string | undefined;
  /** Undefined for what is good for all. */
  readonly platform?: string | undefined;
  /** The publisher's address. */
  readonly url: string;
  readonly sha256?: string | undefined;
  /** Who gives it; the version catalog where not given. */
  readonly pinnedBy?: 'reference' | undefined;
  readonly checksumUrl?: string | undefined;
  readonly why: readonly string[];
}

/** What a bundle shall hold. */
export interface Wanted {
  readonly images: readonly WantedImage[];
  readonly files: readonly WantedFile[];
}

/** `kubelet v1.36.3 (linux/amd64)`. */
export function formatFile({ name, version, platform }: WantedFile): string {
  return formatItem({ kind: 'binary', name, version, platforms: platform === undefined ? [] : [platform] });
}

/** What installing these versions, one after the other, needs: each thing once, with everybody who asked for it. Pure. */
export function wantedOf(hops: readonly ResolvedVersions[]): Wanted {
  const images = new Map<string, Set<string>>();
  const files = new Map<string, { readonly file: Omit<WantedFile, 'why'>; readonly why: Set<string> }>();
  const addImage = (reference: string, why: string): void => {
    const name = formatReference(parseReference(reference));
    images.set(name, (images.get(name) ?? new Set()).add(why));
  };
  const addFile = (artifact: Artifact, why: string): void => {
    const { name, version, arch, url, sha256, checksumUrl } = artifact;
    const entry = files.get(url) ?? {
      file: { kind: 'binary', name, version, platform: `linux/${arch}`, url, sha256, checksumUrl },
      why: new Set<string>(),
    };
    entry.why.add(why);
    files.set(url, entry);
  };
  for (const { kubernetes, binaries, components, images: named } of hops) {
    for (const image of named.kubernetes) addImage(image, `kubeadm of ${kubernetes.version} wants it`);
    addImage(named.pause, `sandbox of containerd, with ${kubernetes.version}`);
    for (const image of named.network) addImage(image, `the pod network, with ${kubernetes.version}`);
    addImage(named.probe, `probes that verify the cluster, with ${kubernetes.version}`);
    for (const artifact of binaries) addFile(artifact, `Kubernetes ${kubernetes.version}`);
    for (const artifact of components) addFile(artifact, `the container runtime, with ${kubernetes.version}`);
  }
  return {
    images: [...images].map(([name, why]) => ({ name, why: [...why] })),
    files: [...files.values()].map(({ file, why }) => ({ ...file, why: [...why] })),
  };
}
