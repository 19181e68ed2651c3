import { describe, expect, it } from 'vitest';
import { loadCatalogs } from '../artifacts/load-catalogs.ts';
import { parseTarHeader } from '../oci/tar-index.ts';
import { parseClusterConfig } from '../spec/load.ts';
import { draftOf } from './create.ts';
import { architecturesOf } from './platforms.ts';
import { resolveHops } from './hops.ts';
import {
  itemKey,
  parseBundleManifest,
  parseMarker,
  renderBundleManifest,
  renderMarker,
  type BundleManifest,
} from './manifest.ts';
import { partPaths } from './parted-file.ts';
import { findChecksum } from './resolve-files.ts';
import { renderSbom } from './sbom.ts';
import { planTar, tarHeader } from './tar-plan.ts';
import { diffManifests } from './views.ts';

const [a, b, c] = ['a', 'b', 'c'].map((letter) => `sha256:${letter.repeat(64)}` as const) as [
  `sha256:${string}`,
  `sha256:${string}`,
  `sha256:${string}`,
];

function manifestOf(more: Partial<BundleManifest> = {}): BundleManifest {
  return {
    installer: '1.0.0',
    cluster: 'site',
    kubernetes: ['v1.36.3'],
    platforms: ['linux/amd64'],
    index: { digest: c, sizeBytes: 3 },
    items: [
      {
        kind: 'binary',
        name: 'kubelet',
        version: 'v1.36.3',
        platforms: ['linux/amd64'],
        why: ['Kubernetes v1.36.3'],
        digest: a,
        sizeBytes: 7,
        origin: 'https://dl.k8s.io/kubelet',
        pin: 'catalog',
        blobs: [a],
      },
    ],
    blobs: [{ digest: a, sizeBytes: 7 }],
    ...more,
  };
}

describe('the tar', () => {
  it.each([0, 1, 511, 512, 8 ** 11 - 1, 8 ** 11, 9_876_543_210_123])('has headers for a size of %d', (sizeBytes) => {
    const name = `blobs/sha256/${'f'.repeat(64)}`;
    expect(parseTarHeader(tarHeader(name, sizeBytes))).toEqual({ name, sizeBytes, type: '0' });
  });

  it('lies where names and sizes say', () => {
    const plan = planTar(
      [{ name: 'x', content: Buffer.alloc(513) }],
      [
        { digest: a, sizeBytes: 512 },
        { digest: b, sizeBytes: 0 },
      ],
    );

    expect(plan.head.map(({ offset }) => offset)).toEqual([512]);
    expect([...plan.blobs.values()].map(({ offset }) => offset)).toEqual([2048, 3072]);
    expect(plan.totalBytes).toBe(3072 + 1024);
  });

  it('takes no digest that has no room in a header', () => {
    const digest = `sha512:${'a'.repeat(128)}` as const;
    expect(() => planTar([], [{ digest, sizeBytes: 1 }])).toThrow(
      expect.objectContaining({ code: 'BUNDLE_DIGEST_UNSUPPORTED' }) as Error,
    );
  });

  it.each([
    [10, undefined, ['f']],
    [10, 10, ['f.001']],
    [11, 10, ['f.001', 'f.002']],
    [30, 10, ['f.001', 'f.002', 'f.003']],
  ])('of %d bytes in parts of %s has the parts %j', (total, part, expected) => {
    expect(partPaths('f', total, part)).toEqual(expected);
  });
});

describe('the table of contents', () => {
  it('is read back as it was written, in whatever order it was given', () => {
    const manifest = manifestOf();
    const bytes = renderBundleManifest(manifest);
    const [item] = manifest.items;
    const second = item && { ...item, name: 'kubeadm', digest: b, blobs: [b], why: ['z', 'a'] };
    const two = manifestOf({ items: [...manifest.items, ...(second ? [second] : [])] });
    const turned = manifestOf({ items: two.items.toReversed() });

    expect(parseBundleManifest(bytes, 'x')).toEqual(manifest);
    expect(renderBundleManifest(two).equals(renderBundleManifest(turned))).toBe(true);
    expect(renderBundleManifest(parseBundleManifest(bytes, 'x')).equals(bytes)).toBe(true);
  });

  it.each([
    ['not JSON', '{', 'BUNDLE_DAMAGED'],
    ['another format', '{"format":"x","version":1}', 'BUNDLE_DAMAGED'],
    [
      'a digest that is none',
      renderBundleManifest(manifestOf()).toString().replaceAll(a, 'sha256:xyz'),
      'BUNDLE_DAMAGED',
    ],
    [
      'a negative size',
      renderBundleManifest(manifestOf()).toString().replaceAll('"size": 7', '"size": -7'),
      'BUNDLE_DAMAGED',
    ],
  ])('is refused where it is %s', (_, text, code) => {
    expect(() => parseBundleManifest(Buffer.from(text), 'x')).toThrow(expect.objectContaining({ code }) as Error);
  });

  it('keeps a kind that it does not know', () => {
    const [item] = manifestOf().items;
    const manifest = manifestOf({ items: item ? [{ ...item, kind: 'os-package' }] : [] });
    expect(parseBundleManifest(renderBundleManifest(manifest), 'x')).toEqual(manifest);
  });

  it.each([
    ['{', 'BUNDLE_INVALID'],
    ['{"format":"other","version":1}', 'BUNDLE_INVALID'],
    ['{"format":"installer-bundle","version":2}', 'BUNDLE_VERSION_UNKNOWN'],
    ['{"format":"installer-bundle","version":1}', 'BUNDLE_DAMAGED'],
  ])('has no marker like %s', (text, code) => {
    expect(() => parseMarker(text, 'x')).toThrow(expect.objectContaining({ code }) as Error);
  });

  it('is named by its marker', () => {
    const bytes = renderBundleManifest(manifestOf());
    expect(parseMarker(renderMarker(bytes).toString(), 'x')).toMatch(/^sha256:/);
  });

  it('leaves out what a base has', () => {
    const { index, ...rest } = manifestOf();
    const blobs = [a, b, a].map((digest) => ({ digest, sizeBytes: 1 }));
    const draft = draftOf({ ...rest, blobs, base: { manifest: c, blobs: new Set([b]) } });

    expect(draft.blobs.map(({ digest }) => digest)).toEqual([a]);
    expect(draft.base).toEqual({ manifest: c, blobs: [{ digest: b, sizeBytes: 1 }] });
    expect(index).toBeDefined();
  });
});

describe('the bill of materials', () => {
  it('is CycloneDX, and the same each time', () => {
    const text = renderSbom('site', '1.0.0', manifestOf().items);
    const sbom = JSON.parse(text) as { specVersion: string; serialNumber: string; components: unknown[] };

    expect(sbom).toMatchObject({
      bomFormat: 'CycloneDX',
      specVersion: '1.6',
      components: [{ name: 'kubelet', version: 'v1.36.3', hashes: [{ alg: 'SHA-256', content: 'a'.repeat(64) }] }],
    });
    expect(sbom.serialNumber).toMatch(/^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(renderSbom('site', '1.0.0', manifestOf().items)).toBe(text);
  });

  it.each([
    ['registry.k8s.io/pause:3.10', '3.10', 'pkg:oci/pause@'],
    ['r.io:5000/a/b', undefined, 'pkg:oci/b@'],
  ])('names the image %s', (name, version, purl) => {
    const [item] = manifestOf().items;
    const image = item && { ...item, kind: 'image', name, version: undefined };
    const { components } = JSON.parse(renderSbom('site', '1', image ? [image] : [])) as {
      components: { version?: string; purl: string }[];
    };
    expect(components[0]?.version).toBe(version);
    expect(components[0]?.purl.startsWith(purl)).toBe(true);
  });
});

const sum = '0123456789abcdef'.repeat(4);
it.each([
  ['a sum alone', `${sum}\n`, sum],
  ['a sum in capitals', sum.toUpperCase(), sum],
  ['a line', `${sum}  runc.amd64\n`, sum],
  ['a line of binary mode', `${sum} *runc.amd64\n`, sum],
  ['a line with a folder', `${sum}  ./bin/runc.amd64\n`, sum],
  ['one of several lines', `${'f'.repeat(64)}  runc.arm64\n${sum}  runc.amd64\n`, sum],
  ['another file only', `${sum}  runc.arm64\n`, undefined],
  ['a web page', '<html></html>', undefined],
  ['nothing', '', undefined],
])('finds the checksum in %s', (_, text, expected) => {
  expect(findChecksum(text, 'runc.amd64')).toBe(expected);
});

describe('the steps of an upgrade', () => {
  async function hopsOf(from: string, to: string | undefined): Promise<string[]> {
    const text = `apiVersion: installer.io/v1alpha1
kind: ClusterConfig
metadata: { name: site }
spec:
  hosts: [{ name: node1, address: 192.0.2.1, roles: [control-plane, worker] }]
  kubernetes: { version: ${from} }
  artifacts: { mirrors: { dl.k8s.io: 'http://mirror.example' } }
`;
    const config = parseClusterConfig(text, 'x.yaml', '/', '/root');
    const hops = resolveHops(await loadCatalogs(config), config, ['amd64'], to);
    expect(hops.every(({ binaries }) => binaries.every(({ url }) => url.startsWith('https://dl.k8s.io/')))).toBe(true);
    return hops.map(({ kubernetes }) => kubernetes.version);
  }

  it.each([
    ['v1.36.3', undefined, ['v1.36.3']],
    ['v1.36.3', 'v1.36.5', ['v1.36.3', 'v1.36.5']],
    ['v1.36.3', 'v1.37.1', ['v1.36.3', 'v1.37.1']],
    ['v1.35.4', 'v1.37.1', ['v1.35.4', 'v1.36.3', 'v1.37.1']],
  ])('from %s to %s are %j', async (from, to, expected) => {
    expect(await hopsOf(from, to)).toEqual(expected);
  });

  it.each([
    ['v1.36.3', 'v1.36.3'],
    ['v1.36.3', 'v1.35.4'],
    ['v1.36.3', 'v2.0.0'],
    ['v1.36.3', '1.37'],
  ])('do not lead from %s to %s', async (from, to) => {
    await expect(hopsOf(from, to)).rejects.toMatchObject({ code: 'BUNDLE_UPGRADE_INVALID', exitCode: 2 });
  });
});

it.each(['windows/amd64', 'linux/s390x', 'linux/arm/v7'])('refuses the platform %s', (platform) => {
  expect(() => architecturesOf([platform])).toThrow(expect.objectContaining({ code: 'BUNDLE_PLATFORM' }) as Error);
});

it('tells two bundles from each other', () => {
  const before = manifestOf();
  const [item] = before.items;
  if (item === undefined) throw new Error('no item');
  const after = manifestOf({
    items: [
      { ...item, digest: b, blobs: [b] },
      { ...item, name: 'kubectl', digest: c, blobs: [c] },
    ],
    blobs: [b, c].map((digest) => ({ digest, sizeBytes: 5 })),
  });

  const { differences, newBytes, goneBytes } = diffManifests(before, after);

  expect(differences.map(({ what, item: { name } }) => `${what} ${name}`)).toEqual([
    'changed kubelet',
    'added kubectl',
  ]);
  expect([newBytes, goneBytes]).toEqual([10, 7]);
  expect(diffManifests(after, after).differences).toEqual([]);
});

it('knows a package of another distribution from that of the same name and version', () => {
  const [item] = manifestOf().items;
  if (item === undefined) throw new Error('no item');
  const jq = { ...item, kind: 'package', name: 'jq', version: '1.6', platforms: ['linux/amd64', 'linux/arm64'] };

  expect(itemKey({ ...jq, platforms: ['linux/amd64'] })).toBe(itemKey(jq));
  expect(itemKey({ ...jq, digest: b })).not.toBe(itemKey(jq));
  expect(itemKey({ ...item, platforms: ['linux/arm64'] })).not.toBe(itemKey(item));
});

it.each([
  ['deb', 'jq', '1:1.6', 'amd64', 'debian-12-amd64/pool/jq.deb', 'deb/debian/jq@1%3A1.6?arch=amd64&distro=debian-12'],
  [
    'rpm',
    'jq',
    '1:6-1',
    'x86_64',
    'rocky-9.6-amd64/Packages/jq.rpm',
    'rpm/rocky/jq@6-1?arch=x86_64&distro=rocky-9.6&epoch=1',
  ],
  [
    'suse',
    'g++',
    '6-1',
    'noarch',
    'opensuse-leap-15.6-arm64/Packages/g.rpm',
    'rpm/opensuse-leap/g%2B%2B@6-1?arch=noarch&distro=opensuse-leap-15.6',
  ],
])('gives %s packages their URL in the bill of materials', (_, name, version, architecture, path, purl) => {
  const [item] = manifestOf().items;
  if (item === undefined) throw new Error('no item');
  const text = renderSbom('x', '1', [
    { ...item, kind: 'package', name, version, architecture, paths: [`packages/${path}`] },
  ]);
  expect(text).toContain(`"pkg:${purl}"`);
  expect(text).toContain('"type": "library"');
});
