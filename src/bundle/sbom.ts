import { createHash } from 'node:crypto';
import { byItem, type BundleItem } from './manifest.ts';
import { repositoryOf } from './package-places.ts';

/**
 * What is in a bundle as CycloneDX 1.6 JSON. The same items give the same bytes: no date, and a serial number that is made of
 * the contents. Source: https://cyclonedx.org/docs/1.6/json/
 */
export function renderSbom(cluster: string, installer: string, items: readonly BundleItem[]): string {
  const components = items.toSorted(byItem).map((item) => ({
    type: componentTypes[item.kind] ?? 'file',
    'bom-ref': `${item.kind}:${item.name}:${item.version ?? ''}:${item.platforms.join(',')}:${item.digest}`,
    name: item.name,
    ...(versionOf(item) === undefined ? {} : { version: versionOf(item) }),
    hashes: [{ alg: 'SHA-256', content: item.digest.slice('sha256:'.length) }],
    ...(purlOf(item) === undefined ? {} : { purl: purlOf(item) }),
    ...(/^https?:/.test(item.origin) ? { externalReferences: [{ type: 'distribution', url: item.origin }] } : {}),
    properties: [
      { name: 'installer:kind', value: item.kind },
      { name: 'installer:pin', value: item.pin },
      ...item.platforms.map((value) => ({ name: 'installer:platform', value })),
      ...item.why.toSorted().map((value) => ({ name: 'installer:why', value })),
    ],
  }));
  const body = {
    metadata: {
      tools: { components: [{ type: 'application', name: 'installer', version: installer }] },
      component: { type: 'platform', 'bom-ref': 'cluster', name: cluster },
    },
    components,
  };
  const serialNumber = `urn:uuid:${uuidOf(JSON.stringify(body))}`;
  return `${JSON.stringify({ bomFormat: 'CycloneDX', specVersion: '1.6', serialNumber, version: 1, ...body }, null, 1)}\n`;
}

/** What else is a file. */
const componentTypes: Readonly<Record<string, string>> = { image: 'container', package: 'library' };

function versionOf({ kind, name, version }: BundleItem): string | undefined {
  return kind === 'image' ? /:([^:/@]+)(?:@|$)/.exec(name)?.[1] : version;
}

/** Package URLs: https://github.com/package-url/purl-spec, types oci, deb, rpm and generic. */
function purlOf(item: BundleItem): string | undefined {
  const { kind, name, version, digest, origin } = item;
  if (kind === 'package') return packagePurl(item);
  if (kind === 'image') {
    const [, repository = name, tag] = /^([^@]*?)(?::([^:/@]+))?(?:@.*)?$/.exec(name) ?? [];
    const last = repository.split('/').at(-1) ?? repository;
    const query = new URLSearchParams({ repository_url: repository, ...(tag === undefined ? {} : { tag }) });
    return `pkg:oci/${last}@${encodeURIComponent(digest)}?${query.toString()}`;
  }
  if (version === undefined || !/^https?:/.test(origin)) return undefined;
  return `pkg:generic/${encodeURIComponent(name)}@${encodeURIComponent(version)}?${new URLSearchParams({ download_url: origin }).toString()}`;
}

/** A deb has its epoch in the version, an rpm beside it. Of several releases the first is told. */
function packagePurl({ name, version = '', architecture = '', paths = [] }: BundleItem): string | undefined {
  const [path = ''] = paths.toSorted();
  const release = repositoryOf(path)?.split('-').slice(0, -1) ?? [];
  const distro = release.join('-');
  const vendor = release.slice(0, -1).join('-').toLowerCase();
  const isRpm = path.endsWith('.rpm');
  const [, epoch, rest = version] = (isRpm ? /^(\d+):(.*)$/.exec(version) : null) ?? [];
  const query = new URLSearchParams({ arch: architecture, distro, ...(epoch === undefined ? {} : { epoch }) });
  return `pkg:${isRpm ? 'rpm' : 'deb'}/${vendor}/${encodeURIComponent(name)}@${encodeURIComponent(rest)}?${query.toString()}`;
}

/** A name-based UUID in the form of version 5 (RFC 9562), of SHA-1 over the text. */
function uuidOf(text: string): string {
  const bytes = createHash('sha1').update(text).digest().subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x50, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
