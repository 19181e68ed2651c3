import { describe, expect, it } from 'vitest';
import { catalogOverlay } from './catalog.ts';
import { publishedSha256 } from './official.ts';
import { releaseFilesOf } from './release-files.ts';

const hex = 'a'.repeat(64);

describe('catalogOverlay', () => {
  const content = {
    minor: '1.36',
    kubernetes: 'v1.36.3',
    images: ['registry.k8s.io/pause:3.10.2'],
    flannelImages: ['ghcr.io/flannel-io/flannel:v0.28.4'],
    agnhost: 'registry.k8s.io/e2e-test-images/agnhost:2.63.0',
  } as const;
  const checksums = Object.fromEntries(releaseFilesOf('1.36').map(({ path }, index) => [path, `${index}`]));

  it('has the checksum of each file that is served', () => {
    expect(catalogOverlay(content, checksums)).toMatchObject({
      kind: 'Catalog',
      metadata: { name: 'lab-1.36' },
      spec: {
        minor: '1.36',
        kubernetes: {
          'v1.36.3': {
            binaries: { kubeadm: { amd64: '0' }, kubelet: { amd64: '1' }, kubectl: { amd64: '2' } },
            images: ['registry.k8s.io/pause:3.10.2'],
          },
        },
        components: {
          containerd: { default: '2.2.3', versions: { '2.2.3': { sha256: { amd64: '3' } } } },
          crictl: { default: '1.36.0', versions: { '1.36.0': { sha256: { amd64: '6' } } } },
          flannel: { default: 'v0.28.4', versions: { 'v0.28.4': { images: content.flannelImages } } },
        },
      },
    });
  });

  it('refuses to leave a checksum out', () => {
    expect(() => catalogOverlay(content, {})).toThrow('no checksum of');
  });
});

describe('releaseFilesOf', () => {
  it('has the paths that the projects publish', () => {
    expect(releaseFilesOf('1.36')).toEqual(
      expect.arrayContaining([
        {
          path: 'dl.k8s.io/v1.36.3/bin/linux/amd64/kubeadm',
          checksumPath: 'dl.k8s.io/v1.36.3/bin/linux/amd64/kubeadm.sha256',
        },
        {
          path: 'github.com/containerd/containerd/releases/download/v2.2.3/containerd-2.2.3-linux-amd64.tar.gz',
          checksumPath:
            'github.com/containerd/containerd/releases/download/v2.2.3/containerd-2.2.3-linux-amd64.tar.gz.sha256sum',
        },
        {
          path: 'github.com/opencontainers/runc/releases/download/v1.4.3/runc.amd64',
          checksumPath: 'github.com/opencontainers/runc/releases/download/v1.4.3/runc.sha256sum',
        },
      ]),
    );
  });
});

describe('publishedSha256', () => {
  it.each([
    ['bare', hex],
    ['with a name', `${hex}  file.tgz\n`],
    ['binary mode, in a folder', `${hex} *./out/file.tgz\n`],
    ['among others', `${'b'.repeat(64)}  other.tgz\n${hex}  file.tgz\n`],
  ])('%s', (_case, text) => {
    expect(publishedSha256(text, 'file.tgz')).toBe(hex);
  });

  it('is not that of another file', () => {
    expect(publishedSha256(`${hex}  other.tgz\n`, 'file.tgz')).toBeUndefined();
    expect(publishedSha256('<html>', 'file.tgz')).toBeUndefined();
  });
});
