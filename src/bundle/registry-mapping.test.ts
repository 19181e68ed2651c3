import { expect, it } from 'vitest';
import { formatReference } from '../oci/reference.ts';
import type { BundleItem } from './manifest.ts';
import { mapItem, mapItems, parseTarget, projectsOf } from './registry-mapping.ts';

const digest = `sha256:${'a'.repeat(64)}` as const;

function itemOf(item: Partial<BundleItem>): BundleItem {
  return {
    kind: 'image',
    name: 'x',
    platforms: ['linux/amd64'],
    why: [],
    digest,
    sizeBytes: 1,
    origin: '',
    pin: 'tag',
    blobs: [digest],
    ...item,
  };
}

it.each([
  ['registry.k8s.io/pause:3.10', 'r.io', false, 'r.io/pause:3.10'],
  ['registry.k8s.io/coredns/coredns:v1', 'r.io:5000', false, 'r.io:5000/coredns/coredns:v1'],
  ['docker.io/library/nginx:1', 'r.io/offline', false, 'r.io/offline/library/nginx:1'],
  ['docker.io/library/nginx:1', 'r.io/offline', true, 'r.io/offline/docker.io/library/nginx:1'],
  ['10.0.0.1:5000/a/b:1', 'localhost/x/y', true, 'localhost/x/y/10.0.0.1-5000/a/b:1'],
  [`quay.io/a@${digest}`, 'r.io', false, `r.io/a@${digest}`],
  [`quay.io/a:v1@${digest}`, 'r.io', false, 'r.io/a:v1'],
])('names the image %s in %s (hosts kept: %s) %s', (name, target, keepHosts, expected) => {
  expect(formatReference(mapItem(itemOf({ name }), parseTarget(target, keepHosts)))).toBe(expected);
});

it.each([
  [{ kind: 'binary', name: 'kubelet', version: 'v1.36.3' }, 'r.io/installer/binary/kubelet:v1.36.3-linux-amd64'],
  [{ kind: 'sbom', name: 'sbom.cdx.json', platforms: [] }, 'r.io/installer/sbom/sbom-cdx-json:aaaaaaaaaaaa'],
  [
    { kind: 'os-package', name: 'libc6', version: '2.41-12+deb13u1' },
    'r.io/installer/os-package/libc6:2.41-12-deb13u1-linux-amd64',
  ],
  [
    { kind: 'package', name: 'g++', version: '4:12.2.0-3', platforms: ['linux/amd64'] },
    'r.io/installer/package/g:4-12.2.0-3-aaaaaaaaaaaa',
  ],
  [
    { kind: 'package-index', name: 'rocky-9-amd64/repodata/repomd.xml' },
    'r.io/installer/package-index/rocky-9-amd64-repodata-repomd-xml:aaaaaaaaaaaa-linux-amd64',
  ],
])('names the file %o %s', (item, expected) => {
  expect(formatReference(mapItem(itemOf(item), parseTarget('r.io', false)))).toBe(expected);
});

it('refuses two contents under one name, and takes one content under it', () => {
  const other = `sha256:${'b'.repeat(64)}` as const;
  const a = itemOf({ name: 'a.io/x:1' });
  const same = itemOf({ name: 'b.io/x:1' });
  const different = itemOf({ name: 'b.io/x:1', digest: other });

  expect(mapItems([a, same], parseTarget('r.io', false))).toHaveLength(2);
  expect(() => mapItems([a, different], parseTarget('r.io', false))).toThrow(/a\.io\/x:1 and b\.io\/x:1 would both be/);
  expect(mapItems([a, different], parseTarget('r.io', true))).toHaveLength(2);
});

it.each(['', 'https://r.io', 'r', 'r.io/UPPER', 'r.io/a:b', 'r.io//a'])("refuses the target '%s'", (text) => {
  expect(() => parseTarget(text, false)).toThrow(expect.objectContaining({ code: 'BUNDLE_TARGET_INVALID' }) as Error);
});

it('names the projects that a push needs, and refuses what would be in none', () => {
  const items = [
    itemOf({ name: 'registry.k8s.io/pause:3.10' }),
    itemOf({ kind: 'binary', name: 'kubelet', version: 'v1' }),
  ];

  expect(projectsOf(mapItems(items, parseTarget('r.io/offline/a', false)))).toEqual(['offline']);
  expect(projectsOf(mapItems(items, parseTarget('r.io', true)))).toEqual(['installer', 'registry.k8s.io']);
  expect(() => projectsOf(mapItems(items, parseTarget('r.io', false)))).toThrow(
    'r.io/pause:3.10 would be in no project',
  );
});
