import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { InternalError } from '../../errors.ts';
import type { RepositoryKey } from '../signing.ts';
import type { RepositoryFile, ResolvedPackage } from '../types.ts';

export interface RpmRepositoryInput {
  /** Of one release and architecture: dnf has a repository for each. */
  readonly packages: readonly ResolvedPackage[];
  /** Milliseconds since the epoch. The same input gives the same bytes. */
  readonly dateMs: number;
  /** Without it dnf cannot be told to check the index (repo_gpgcheck). */
  readonly key?: RepositoryKey;
}

/** Where the file of a package has to lie, below the repository's folder. */
export function rpmPackagePath(item: Pick<ResolvedPackage, 'filename'>): string {
  return `Packages/${item.filename}`;
}

/**
 * Metadata of a repository that dnf and zypper take without any other: primary.xml with the entries of the source, filelists.xml
 * with the files that those name, other.xml without changelogs, and repomd.xml with its signature. Packages keep the signature
 * of their distribution, whose key hosts need for gpgcheck.
 */
export async function renderRpmRepository({ packages, dateMs, key }: RpmRepositoryInput): Promise<RepositoryFile[]> {
  const seconds = Math.floor(dateMs / 1000);
  const documents = [
    {
      type: 'primary',
      text: renderDocument(
        `metadata xmlns="${namespaces.common}" xmlns:rpm="${namespaces.rpm}"`,
        packages.map(renderPrimary),
      ),
    },
    { type: 'filelists', text: renderDocument(`filelists xmlns="${namespaces.filelists}"`, packages.map(renderFiles)) },
    {
      type: 'other',
      text: renderDocument(
        `otherdata xmlns="${namespaces.other}"`,
        packages.map((item) => `${renderHead(item)}</package>`),
      ),
    },
  ];
  const data = documents.map(({ type, text }) => {
    const open = Buffer.from(text);
    const packed = gzipSync(open, { level: 9 });
    return { type, open, packed, path: `repodata/${sha256(packed)}-${type}.xml.gz` };
  });
  const repomd = [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<repomd xmlns="${namespaces.repo}" xmlns:rpm="${namespaces.rpm}">`,
    `  <revision>${seconds}</revision>`,
    ...data.flatMap(({ type, open, packed, path }) => [
      `  <data type="${type}">`,
      `    <checksum type="sha256">${sha256(packed)}</checksum>`,
      `    <open-checksum type="sha256">${sha256(open)}</open-checksum>`,
      `    <location href="${path}"/>`,
      `    <timestamp>${seconds}</timestamp>`,
      `    <size>${packed.length}</size>`,
      `    <open-size>${open.length}</open-size>`,
      '  </data>',
    ]),
    '</repomd>',
    '',
  ].join('\n');
  return [
    ...data.map(({ path, packed }) => ({ path, content: packed })),
    { path: 'repodata/repomd.xml', content: Buffer.from(repomd) },
    ...(key === undefined ? [] : [{ path: 'repodata/repomd.xml.asc', content: Buffer.from(await key.sign(repomd)) }]),
  ];
}

const namespaces = {
  common: 'http://linux.duke.edu/metadata/common',
  filelists: 'http://linux.duke.edu/metadata/filelists',
  other: 'http://linux.duke.edu/metadata/other',
  repo: 'http://linux.duke.edu/metadata/repo',
  rpm: 'http://linux.duke.edu/metadata/rpm',
} as const;

function renderDocument(root: string, elements: readonly string[]): string {
  const name = root.split(' ')[0] ?? '';
  return `<?xml version="1.0" encoding="UTF-8"?>\n<${root} packages="${elements.length}">\n${elements.join('\n')}\n</${name}>\n`;
}

/** The entry of the source with another place; files that only filelists.xml told are named here, where dnf looks first. */
function renderPrimary(item: ResolvedPackage): string {
  const files = (item.files ?? []).map((path) => `<file>${escapeXml(path)}</file>`).join('');
  return item.entry
    .replace(/<location\b[^>]*\/>/, () => `<location href="${escapeXml(rpmPackagePath(item))}"/>`)
    .replace('</format>', () => `${files}</format>`);
}

function renderFiles(item: ResolvedPackage): string {
  const named = item.entry.match(/<file\b[^>]*>[^<]*<\/file>/g) ?? [];
  const further = (item.files ?? []).map((path) => `<file>${escapeXml(path)}</file>`);
  return [renderHead(item), ...named, ...further, '</package>'].join('\n');
}

function renderHead(item: ResolvedPackage): string {
  const version = /<version\b[^>]*\/>/.exec(item.entry)?.[0];
  if (version === undefined) throw new InternalError(`the entry of ${item.name} has no version`);
  return `<package pkgid="${item.sha256}" name="${escapeXml(item.name)}" arch="${escapeXml(item.architecture)}">\n${version}`;
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

function sha256(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}
