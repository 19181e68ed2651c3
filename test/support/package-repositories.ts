import { createHash } from 'node:crypto';
import { renderAptRepository } from '../../src/packages/apt/render.ts';
import { renderRpmRepository } from '../../src/packages/rpm/render.ts';
import type { RepositoryKey } from '../../src/packages/signing.ts';
import type { Fetch, PackageSet, RepositoryFile, ResolvedPackage } from '../../src/packages/types.ts';

/** Serves files from memory, by URL; writes down what is asked for. */
export interface FakeSite {
  readonly fetch: Fetch;
  readonly files: Map<string, Buffer>;
  readonly asked: string[];
}

export function fakeSite(): FakeSite {
  const files = new Map<string, Buffer>();
  const asked: string[] = [];
  const fetch: Fetch = (url) => {
    asked.push(url);
    const content = files.get(url);
    return Promise.resolve(content === undefined ? undefined : inPieces(content, 1000));
  };
  return { fetch, files, asked };
}

export function publish(site: FakeSite, base: string, files: readonly RepositoryFile[]): void {
  for (const { path, content } of files) site.files.set(`${base}/${path}`, content);
}

// eslint-disable-next-line @typescript-eslint/require-await -- what is in memory is read like what comes in
export async function* inPieces(content: Buffer, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < content.length; at += size) yield content.subarray(at, at + size);
}

/** The bytes of a made-up package: its digest and size are those of its index. */
export function contentOf({ filename }: Pick<ResolvedPackage, 'filename'>): Buffer {
  return Buffer.from(filename);
}

/** A made-up package of Debian: `name version` and further fields of its stanza. */
export function debOf(nameAndVersion: string, fields: Readonly<Record<string, string>> = {}): ResolvedPackage {
  const [name = '', version = '1'] = nameAndVersion.split(' ');
  const architecture = fields['Architecture'] ?? 'amd64';
  const filename = `${name}_${version.replace(':', '.')}_${architecture}.deb`;
  const sha256 = digestOf(filename);
  const all = {
    Package: name,
    Version: version,
    Architecture: architecture,
    ...fields,
    Filename: `pool/${filename}`,
    Size: String(filename.length),
    SHA256: sha256,
    Description: `${name}\n of the test`,
  };
  const entry = Object.entries(all)
    .map(([field, value]) => `${field}: ${value}\n`)
    .join('');
  return resolved({ name, version, architecture, filename, sha256, entry });
}

/** A made-up package of rpm: `name version-release`, and what it provides and requires, as `name` or `name GE 1.0-1`. */
export function rpmOf(
  nameAndVersion: string,
  relations: {
    readonly provides?: readonly string[];
    readonly requires?: readonly string[];
    readonly conflicts?: readonly string[];
    readonly suggests?: readonly string[];
    readonly files?: readonly string[];
    readonly architecture?: string;
  } = {},
): ResolvedPackage {
  const [name = '', version = '1-1'] = nameAndVersion.split(' ');
  const [ver = '', rel = ''] = version.split('-');
  const { architecture = 'x86_64', provides = [], files = [] } = relations;
  const filename = `${name}-${version}.${architecture}.rpm`;
  const sha256 = digestOf(filename);
  const entry = `<package type="rpm">
  <name>${name}</name>
  <arch>${architecture}</arch>
  <version epoch="0" ver="${ver}" rel="${rel}"/>
  <checksum type="sha256" pkgid="YES">${sha256}</checksum>
  <summary>A &lt;b&gt; &amp; more</summary>
  <size package="${filename.length}" installed="20" archive="30"/>
  <location href="a/b/${filename}"/>
  <format>
    ${renderEntries('provides', [`${name} EQ ${version}`, ...provides])}
    ${renderEntries('requires', relations.requires ?? [])}
    ${renderEntries('conflicts', relations.conflicts ?? [])}
    ${renderEntries('suggests', relations.suggests ?? [])}
    ${files.map((file) => `<file>${file}</file>`).join('')}
  </format>
</package>`;
  return resolved({ name, version, architecture, filename, sha256, entry });
}

/** Asked for by its name; its size is that of its name. */
function resolved(
  made: Pick<ResolvedPackage, 'name' | 'version' | 'architecture' | 'filename' | 'sha256' | 'entry'>,
): ResolvedPackage {
  const { name, filename } = made;
  return { ...made, url: '', sizeBytes: filename.length, reason: 'requested', requestedAs: [name] };
}

function renderEntries(list: string, items: readonly string[]): string {
  const entries = items.map((item) => {
    const [name = '', flags, version = ''] = item.startsWith('(') ? [item] : item.split(' ');
    const [ver, rel] = version.split('-');
    const versions = flags === undefined ? '' : ` flags="${flags}" epoch="0" ver="${ver ?? ''}"`;
    const release = flags === undefined || rel === undefined ? '' : ` rel="${rel}"`;
    return `<rpm:entry name="${name.replaceAll('<', '&lt;')}"${versions}${release}/>`;
  });
  return `<rpm:${list}>${entries.join('')}</rpm:${list}>`;
}

export async function publishApt(
  site: FakeSite,
  base: string,
  packages: readonly ResolvedPackage[],
  key?: RepositoryKey,
): Promise<void> {
  const sets: PackageSet[] = [{ family: 'apt', architecture: 'amd64', packages, warnings: [] }];
  const files = await renderAptRepository({ sets, suite: 'stable', label: 'test', dateMs, ...(key ? { key } : {}) });
  publish(site, base, files);
}

export async function publishRpm(
  site: FakeSite,
  base: string,
  packages: readonly ResolvedPackage[],
  key?: RepositoryKey,
): Promise<void> {
  publish(site, base, await renderRpmRepository({ packages, dateMs, ...(key ? { key } : {}) }));
}

/** The day on which all is made and asked. */
export const dateMs: number = Date.UTC(2026, 0, 2, 3, 4, 5);

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
