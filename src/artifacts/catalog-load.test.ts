import { describe, expect, it } from 'vitest';
import { InstallerErrors } from '../errors.ts';
import { type Catalog, mergeCatalogs, parseCatalog } from './catalog.ts';

const head = 'apiVersion: installer.io/v1alpha1\nkind: Catalog\nmetadata: { name: test }\n';
const catalog = (spec: string): Catalog => parseCatalog(`${head}spec: ${spec}`, 'test.yaml');
const sha = (digit: string): string => digit.repeat(64);

describe('parseCatalog', () => {
  it('fills in empty maps', () => {
    expect(catalog(`{ minor: '1.36' }`).spec).toEqual({ minor: '1.36', kubernetes: {}, components: {} });
  });

  it.each([
    [
      '{ minor: 1.36 }',
      'test.yaml:4:16: spec.minor: expected text, found the number 1.36 (put it in quotes to make it text)',
    ],
    [`{ minor: '1.36', componets: {} }`, 'test.yaml:4:24: spec.componets: unknown key; did you mean "components"?'],
    [
      `{ minor: '1.36', components: { rnc: {} } }`,
      'test.yaml:4:38: spec.components.rnc: unknown key; did you mean "runc"?',
    ],
    [
      `{ minor: '1.36', kubernetes: { v1.36.3: { binaries: { kubeadm: { amd64: abc } } } } }`,
      'test.yaml:4:79: spec.kubernetes["v1.36.3"].binaries.kubeadm.amd64: must be a SHA-256 in lowercase hex, 64 digits',
    ],
    [
      `{ minor: '1.36', kubernetes: { 1.36.3: {} } }`,
      'test.yaml:4:38: spec.kubernetes["1.36.3"]: must be a version of the form vX.Y.Z',
    ],
    [
      `{ minor: '1.36', kubernetes: { v1.36.3: { images: [etcd:3.6] } } }`,
      'test.yaml:4:58: spec.kubernetes["v1.36.3"].images[0]: must be an image reference with registry and tag',
    ],
    [
      `{ minor: '1.36', components: { probe: { versions: { '1': { url: /x } } } } }`,
      'test.yaml:4:71: spec.components.probe.versions["1"].url: must be a URL beginning with http:// or https://',
    ],
    [
      `{ minor: '1.36', components: { runc: { versions: { '1': { url: 'https://me:s3cret@host/x' } } } } }`,
      'test.yaml:4:70: spec.components.runc.versions["1"].url: must not hold a user name or password',
    ],
    [
      `{ minor: '1.36', components: { runc: { versions: { '1': { checksumUrl: 'https://token@host/x' } } } } }`,
      'test.yaml:4:78: spec.components.runc.versions["1"].checksumUrl: must not hold a user name or password',
    ],
  ])('refuses %s', (spec, message) => {
    expect(() => catalog(spec)).toThrow(InstallerErrors);
    expect(() => catalog(spec)).toThrow(message);
  });
});

describe('mergeCatalogs', () => {
  const base = catalog(`
  minor: '1.36'
  defaultVersion: v1.36.3
  kubernetes:
    v1.36.3:
      binaries: { kubeadm: { amd64: '${sha('1')}', arm64: '${sha('2')}' } }
      images: [registry.k8s.io/etcd:1, registry.k8s.io/pause:1]
  components:
    runc: { default: 1.4.3, versions: { 1.4.3: { url: 'https://a/{arch}', sha256: { amd64: '${sha('3')}' } } } }
`);

  it('replaces leaves and lists, and keeps everything else', () => {
    const overlay = catalog(`
  minor: '1.36'
  kubernetes:
    v1.36.3:
      binaries: { kubeadm: { amd64: '${sha('a')}' } }
      images: [registry.k8s.io/etcd:2]
    v1.36.9: {}
  components:
    runc: { versions: { 1.4.3: { url: 'https://b/{arch}' }, 1.5.0: {} } }
`);

    expect(mergeCatalogs([base], [overlay])).toEqual([
      {
        ...base,
        spec: {
          minor: '1.36',
          defaultVersion: 'v1.36.3',
          kubernetes: {
            'v1.36.3': {
              binaries: { kubeadm: { amd64: sha('a'), arm64: sha('2') } },
              images: ['registry.k8s.io/etcd:2'],
            },
            'v1.36.9': {},
          },
          components: {
            runc: {
              default: '1.4.3',
              versions: { '1.4.3': { url: 'https://b/{arch}', sha256: { amd64: sha('3') } }, '1.5.0': {} },
            },
          },
        },
      },
    ]);
  });

  it('lets the later overlay win', () => {
    const overlays = ['v1.36.4', 'v1.36.5'].map((version) => catalog(`{ minor: '1.36', defaultVersion: ${version} }`));

    expect(mergeCatalogs([base], overlays)[0]?.spec.defaultVersion).toBe('v1.36.5');
  });

  it('adds a minor that is not in the base', () => {
    const overlay = catalog(`{ minor: '1.40' }`);

    expect(mergeCatalogs([base], [overlay])).toEqual([base, overlay]);
  });

  it('changes neither of the two', () => {
    const before = structuredClone(base);
    mergeCatalogs([base], [catalog(`{ minor: '1.36', kubernetes: { v1.36.3: { images: [] } } }`)]);

    expect(base).toEqual(before);
  });
});
