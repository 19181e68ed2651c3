import { describe, expect, it } from 'vitest';
import { InstallerError, exitCodes } from '../errors.ts';
import { parseClusterConfig } from '../spec/load.ts';
import type { ClusterConfig } from '../spec/schema.ts';
import { type Catalog, type ResolvedVersions, mergeCatalogs, parseCatalog, resolveVersions } from './catalog.ts';

const sha = (digit: string): string => digit.repeat(64);

const catalogText = (minor: string, patch: number): string => `
apiVersion: installer.io/v1alpha1
kind: Catalog
metadata: { name: v${minor} }
spec:
  minor: '${minor}'
  defaultVersion: v${minor}.${patch}
  kubernetes:
    v${minor}.${patch}:
      binaries:
        kubeadm: { amd64: '${sha('1')}', arm64: '${sha('2')}' }
        kubelet: { amd64: '${sha('3')}', arm64: '${sha('4')}' }
        kubectl: { amd64: '${sha('5')}', arm64: '${sha('6')}' }
      images:
        - registry.k8s.io/kube-apiserver:v${minor}.${patch}
        - registry.k8s.io/kube-proxy:v${minor}.${patch}
        - registry.k8s.io/coredns/coredns:v1.14.2
        - registry.k8s.io/pause:3.10.2
        - registry.k8s.io/etcd:3.6.8-0
    v${minor}.0:
      images: [registry.k8s.io/etcd:3.6.0-0, registry.k8s.io/pause:3.9, registry.k8s.io/coredns/coredns:v1.0.0]
  components:
    containerd:
      default: 2.2.3
      versions:
        2.2.3:
          url: https://github.com/c/v{version}/containerd-{version}-linux-{arch}.tar.gz
          checksumUrl: '{url}.sha256sum'
          sha256: { amd64: '${sha('7')}', arm64: '${sha('8')}' }
        2.3.0: { url: 'https://github.com/c/containerd-{version}-{arch}' }
    runc:
      default: 1.4.3
      versions:
        1.4.3:
          url: https://github.com/r/runc.{arch}
          checksumUrl: https://github.com/r/runc.sha256sum
          sha256: { amd64: '${sha('9')}', arm64: '${sha('a')}' }
    cni-plugins:
      default: 1.9.1
      versions: { 1.9.1: { url: 'https://github.com/p/{arch}', sha256: { amd64: '${sha('b')}', arm64: '${sha('c')}' } } }
    crictl:
      default: 1.36.0
      versions: { 1.36.0: { url: 'https://github.com/t/{arch}', sha256: { amd64: '${sha('d')}', arm64: '${sha('e')}' } } }
    flannel:
      default: v0.28.4
      versions: { v0.28.4: { images: [ghcr.io/f/flannel:v0.28.4, ghcr.io/f/flannel-cni-plugin:v1] } }
    probe:
      default: '2.63'
      versions: { '2.63': { images: [registry.k8s.io/e2e-test-images/agnhost:2.63] } }
`;

const catalogs = [
  parseCatalog(catalogText('1.9', 9), '1.9'),
  parseCatalog(catalogText('1.36', 3), '1.36'),
  parseCatalog(catalogText('1.35', 10), '1.35'),
];

function config(change = ''): ClusterConfig {
  return parseClusterConfig(
    `{ apiVersion: installer.io/v1alpha1, kind: ClusterConfig, metadata: { name: a },
       spec: { hosts: [{ name: cp, address: 10.0.0.1, roles: [control-plane] }] ${change} } }`,
    'test',
    '/',
  );
}

const resolve = (change = '', from: readonly Catalog[] = catalogs): ResolvedVersions =>
  resolveVersions(from, config(change), ['amd64', 'arm64']);
const overlay = (spec: string): Catalog[] =>
  mergeCatalogs(catalogs, [
    parseCatalog(`{ apiVersion: installer.io/v1alpha1, kind: Catalog, metadata: { name: o }, spec: ${spec} }`, 'o'),
  ]);

function errorOf(act: () => unknown): InstallerError {
  try {
    act();
  } catch (error) {
    if (error instanceof InstallerError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('resolveVersions', () => {
  it('takes the default of the newest minor where the cluster file gives no version', () => {
    expect(resolve().kubernetes).toEqual({ version: 'v1.36.3', minor: '1.36' });
  });

  it('gives the binaries of every architecture with address and pin', () => {
    const { binaries } = resolve();

    expect(binaries).toHaveLength(6);
    expect(binaries[1]).toEqual({
      name: 'kubeadm',
      version: 'v1.36.3',
      arch: 'arm64',
      url: 'https://dl.k8s.io/v1.36.3/bin/linux/arm64/kubeadm',
      sha256: sha('2'),
      checksumUrl: 'https://dl.k8s.io/v1.36.3/bin/linux/arm64/kubeadm.sha256',
    });
  });

  it('gives only the architectures that are asked for', () => {
    const { binaries, components } = resolveVersions(catalogs, config(), ['arm64']);

    expect(new Set([...binaries, ...components].map(({ arch }) => arch))).toEqual(new Set(['arm64']));
  });

  it('fills in version, architecture and the address that a checksum belongs to', () => {
    expect(resolve().components.filter(({ arch }) => arch === 'amd64')).toEqual([
      {
        name: 'containerd',
        version: '2.2.3',
        arch: 'amd64',
        url: 'https://github.com/c/v2.2.3/containerd-2.2.3-linux-amd64.tar.gz',
        sha256: sha('7'),
        checksumUrl: 'https://github.com/c/v2.2.3/containerd-2.2.3-linux-amd64.tar.gz.sha256sum',
      },
      {
        name: 'runc',
        version: '1.4.3',
        arch: 'amd64',
        url: 'https://github.com/r/runc.amd64',
        sha256: sha('9'),
        checksumUrl: 'https://github.com/r/runc.sha256sum',
      },
      { name: 'cni-plugins', version: '1.9.1', arch: 'amd64', url: 'https://github.com/p/amd64', sha256: sha('b') },
      { name: 'crictl', version: '1.36.0', arch: 'amd64', url: 'https://github.com/t/amd64', sha256: sha('d') },
    ]);
  });

  it('maps downloads and their checksums to the mirrors, and no images', () => {
    const { binaries, components, images } = resolve(
      ', artifacts: { mirrors: { dl.k8s.io: "http://m/k8s/", github.com: "http://m/gh", ghcr.io: "http://m" } }',
    );

    expect(binaries[0]).toMatchObject({
      url: 'http://m/k8s/v1.36.3/bin/linux/amd64/kubeadm',
      checksumUrl: 'http://m/k8s/v1.36.3/bin/linux/amd64/kubeadm.sha256',
    });
    expect(components[2]).toMatchObject({
      url: 'http://m/gh/r/runc.amd64',
      checksumUrl: 'http://m/gh/r/runc.sha256sum',
    });
    expect(images.network[0]).toBe('ghcr.io/f/flannel:v0.28.4');
  });

  it('gives the images, with those that other parts ask for by name', () => {
    expect(resolve().images).toEqual({
      kubernetes: [
        'registry.k8s.io/kube-apiserver:v1.36.3',
        'registry.k8s.io/kube-proxy:v1.36.3',
        'registry.k8s.io/coredns/coredns:v1.14.2',
        'registry.k8s.io/pause:3.10.2',
        'registry.k8s.io/etcd:3.6.8-0',
      ],
      coredns: 'registry.k8s.io/coredns/coredns:v1.14.2',
      etcd: 'registry.k8s.io/etcd:3.6.8-0',
      pause: 'registry.k8s.io/pause:3.10.2',
      network: ['ghcr.io/f/flannel:v0.28.4', 'ghcr.io/f/flannel-cni-plugin:v1'],
      probe: 'registry.k8s.io/e2e-test-images/agnhost:2.63',
    });
  });

  it('has no network images without a network plugin', () => {
    expect(resolve(', network: { plugin: none }').images.network).toEqual([]);
  });

  it('has no notes where everything is listed and pinned', () => {
    expect(resolve(', kubernetes: { version: v1.36.3 }').notes).toEqual([]);
  });

  it('takes an unlisted patch with the newest neighbours images, and says so', () => {
    const { kubernetes, images, binaries, notes } = resolve(', kubernetes: { version: v1.35.12 }');

    expect(kubernetes).toEqual({ version: 'v1.35.12', minor: '1.35' });
    expect(images.kubernetes[0]).toBe('registry.k8s.io/kube-apiserver:v1.35.12');
    expect(images.etcd).toBe('registry.k8s.io/etcd:3.6.8-0');
    expect(binaries[0]).not.toHaveProperty('sha256');
    expect(notes).toEqual([
      'the catalog does not list Kubernetes v1.35.12: etcd, CoreDNS and pause are those of v1.35.10',
      'no pinned checksum for kubeadm v1.35.12 (amd64, arm64); the published one is used',
      'no pinned checksum for kubelet v1.35.12 (amd64, arm64); the published one is used',
      'no pinned checksum for kubectl v1.35.12 (amd64, arm64); the published one is used',
    ]);
  });

  it('takes the containerd version of the cluster file, and says what nothing vouches for', () => {
    const { components, notes } = resolve(', runtime: { containerd: { version: 2.3.0 } }');

    expect(components[0]).toEqual({
      name: 'containerd',
      version: '2.3.0',
      arch: 'amd64',
      url: 'https://github.com/c/containerd-2.3.0-amd64',
    });
    expect(notes).toEqual([
      'no pinned checksum for containerd 2.3.0 (amd64, arm64), and none is published: the download is not verified',
    ]);
  });

  it.each([
    ['v1.34.1', 'Kubernetes v1.34.1 is in no catalog; supported minors: 1.36, 1.35, 1.9.'],
    ['v1.40.0', 'Kubernetes v1.40.0 is in no catalog; supported minors: 1.36, 1.35, 1.9.'],
  ])('refuses %s, whose minor it does not know, and names the remedy', (version, message) => {
    const error = errorOf(() => resolve(`, kubernetes: { version: ${version} }`));

    expect(error).toMatchObject({ code: 'CATALOG_UNKNOWN_VERSION', message, exitCode: exitCodes.usage });
    expect(error.remedy).toContain('spec.artifacts.catalogs');
  });

  it('refuses a containerd version that is not listed, and names those that are', () => {
    expect(errorOf(() => resolve(', runtime: { containerd: { version: 9.9.9 } }'))).toMatchObject({
      code: 'CATALOG_UNKNOWN_VERSION',
      message: 'containerd 9.9.9 is not in the catalog of Kubernetes 1.36; it lists 2.2.3, 2.3.0.',
    });
  });

  it.each([
    [overlay(`{ minor: '1.40' }`), 'The catalog of Kubernetes 1.40 has no spec.kubernetes["v1.40.1"].images.'],
    [
      overlay(`{ minor: '1.36', components: { crictl: { default: 9.9.9 } } }`),
      'The catalog of Kubernetes 1.36 has no spec.components.crictl.versions["9.9.9"].',
    ],
    [
      overlay(`{ minor: '1.36', components: { crictl: { default: 2.0.0, versions: { 2.0.0: {} } } } }`),
      'The catalog of Kubernetes 1.36 has no spec.components.crictl.versions["2.0.0"].url.',
    ],
    [
      overlay(`{ minor: '1.36', kubernetes: { v1.36.3: { images: [registry.k8s.io/etcd:1] } } }`),
      'The catalog of Kubernetes 1.36 has no image "coredns" under spec.kubernetes.',
    ],
    [
      overlay(`{ minor: '1.36', components: { probe: { default: x, versions: { x: {} } } } }`),
      'The catalog of Kubernetes 1.36 has no spec.components.probe.versions["x"].images.',
    ],
  ])('says what an incomplete catalog lacks (%#)', (from, message) => {
    const version = message.includes('1.40') ? ', kubernetes: { version: v1.40.1 }' : '';
    const components = catalogs[1]?.spec.components ?? {};
    const complete = from.map((item) =>
      item.spec.minor === '1.40' ? { ...item, spec: { ...item.spec, components } } : item,
    );

    expect(errorOf(() => resolve(version, complete))).toMatchObject({ code: 'CATALOG_INCOMPLETE', message });
  });

  it('takes the newest listed version of a catalog without a default', () => {
    const listed = `{ images: [registry.k8s.io/etcd:1, registry.k8s.io/coredns/coredns:1, registry.k8s.io/pause:1] }`;
    const from = overlay(`{ minor: '1.40', kubernetes: { v1.40.9: ${listed}, v1.40.10: ${listed} } }`);
    const components = catalogs[1]?.spec.components ?? {};
    const complete = from.map((item) => ({ ...item, spec: { ...item.spec, components } }));

    expect(resolve('', complete).kubernetes.version).toBe('v1.40.10');
  });
});
