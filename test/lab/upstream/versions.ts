/** The Kubernetes minors a lab can serve. */
export type UpstreamMinor = '1.36' | '1.37';

/** Versions that go with one Kubernetes minor, each written as its own project tags it. */
export interface MinorVersions {
  readonly kubernetes: string;
  readonly etcd: string;
  readonly coredns: string;
  readonly crictl: string;
  /** Tag of the image for test pods: test/images/agnhost/VERSION of that Kubernetes. */
  readonly agnhost: string;
}

/** Two adjacent minors, so that an upgrade from one to the other can be run. */
export const upstreamMinors: Readonly<Record<UpstreamMinor, MinorVersions>> = {
  '1.36': { kubernetes: 'v1.36.3', etcd: 'v3.6.8', coredns: 'v1.14.2', crictl: 'v1.36.0', agnhost: '2.63.0' },
  '1.37': { kubernetes: 'v1.37.1', etcd: 'v3.7.0', coredns: 'v1.14.6', crictl: 'v1.36.0', agnhost: '2.66.1' },
};

/** Versions that both minors share. */
export const sharedVersions = {
  containerd: 'v2.2.3',
  runc: 'v1.4.3',
  cniPlugins: 'v1.9.1',
  flannel: 'v0.28.4',
  /** Last release of the CNI plugins that still held the `flannel` plugin. */
  flannelPluginSource: 'v0.9.1',
} as const;

/** References of flannel's images, as its own manifest has them for this version. */
export const flannelImages = {
  daemon: (version: string): string => `ghcr.io/flannel-io/flannel:${version}`,
  /** Where the plugin has to be built, its sources are `flannelPluginSource`: its own module is not to be had. */
  plugin: 'ghcr.io/flannel-io/flannel-cni-plugin:v1.9.1-flannel1',
} as const;

/** The one architecture the lab serves: its own. */
export const architecture = 'amd64';
