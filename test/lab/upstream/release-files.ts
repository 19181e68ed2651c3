import { architecture, sharedVersions, upstreamMinors, type UpstreamMinor } from './versions.ts';

/** A file as its project publishes it; paths begin with the host's name. */
export interface ReleaseFile {
  readonly path: string;
  /** File with the SHA-256 in it: bare, or as sha256sum prints it, for one file or several. */
  readonly checksumPath: string;
}

const plain = (version: string): string => version.replace(/^v/, '');

function github(project: string, version: string, file: string, checksums: string): ReleaseFile {
  const dir = `github.com/${project}/releases/download/${version}`;
  // A checksum file that begins with a dot is the file's own name with that ending.
  return { path: `${dir}/${file}`, checksumPath: `${dir}/${checksums.startsWith('.') ? file : ''}${checksums}` };
}

export function kubernetesFile(version: string, name: string): ReleaseFile {
  const path = `dl.k8s.io/${version}/bin/linux/${architecture}/${name}`;
  return { path, checksumPath: `${path}.sha256` };
}

/** Kubernetes' binaries that are downloaded to hosts. */
export const kubernetesBinaries = ['kubeadm', 'kubelet', 'kubectl'] as const;

/** Archives (runc: the bare binary) of the other components, by component and for a version with `v`. */
export const releaseFile = {
  containerd: (version: string) =>
    github('containerd/containerd', version, `containerd-${plain(version)}-linux-${architecture}.tar.gz`, '.sha256sum'),
  runc: (version: string) => github('opencontainers/runc', version, `runc.${architecture}`, 'runc.sha256sum'),
  'cni-plugins': (version: string) =>
    github('containernetworking/plugins', version, `cni-plugins-linux-${architecture}-${version}.tgz`, '.sha256'),
  crictl: (version: string) =>
    github('kubernetes-sigs/cri-tools', version, `crictl-${version}-linux-${architecture}.tar.gz`, '.sha256'),
  etcd: (version: string) =>
    github('etcd-io/etcd', version, `etcd-${version}-linux-${architecture}.tar.gz`, 'SHA256SUMS'),
} satisfies Record<string, (version: string) => ReleaseFile>;

/** Every file the lab serves for a minor. */
export function releaseFilesOf(minor: UpstreamMinor): ReleaseFile[] {
  const versions = upstreamMinors[minor];
  return [
    ...kubernetesBinaries.map((name) => kubernetesFile(versions.kubernetes, name)),
    releaseFile.containerd(sharedVersions.containerd),
    releaseFile.runc(sharedVersions.runc),
    releaseFile['cni-plugins'](sharedVersions.cniPlugins),
    releaseFile.crictl(versions.crictl),
    releaseFile.etcd(versions.etcd),
  ];
}
