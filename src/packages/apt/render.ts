import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import type { RepositoryKey } from '../signing.ts';
import type { PackageSet, RepositoryFile, ResolvedPackage } from '../types.ts';

export interface AptRepositoryInput {
  /** Of one release, one for each architecture. */
  readonly sets: readonly PackageSet[];
  /** The release, as `deb URL SUITE main` names it. */
  readonly suite: string;
  /** What the repository calls itself. */
  readonly label: string;
  /** Milliseconds since the epoch. The same input gives the same bytes. */
  readonly dateMs: number;
  /** Without it hosts have to be told `[trusted=yes]`. */
  readonly key?: RepositoryKey;
}

/** Where the file of a package has to lie, below the repository's folder. */
export function aptPackagePath(item: Pick<ResolvedPackage, 'filename'>): string {
  return `pool/${item.filename}`;
}

/**
 * Metadata of a repository with one component, `main`, that apt takes without any other: Packages with the stanzas of the
 * source, Release with their digests, InRelease and Release.gpg. Files come with their paths below the repository's folder.
 */
export async function renderAptRepository(input: AptRepositoryInput): Promise<RepositoryFile[]> {
  const folder = `dists/${input.suite}`;
  const indexes = input.sets.flatMap(({ architecture, packages }) => {
    const content = Buffer.from(packages.map(renderStanza).join('\n'));
    const path = `main/binary-${architecture}/Packages`;
    return [
      { path, content },
      { path: `${path}.gz`, content: gzipSync(content, { level: 9 }) },
    ];
  });
  const release = renderRelease(input, indexes);
  const signed =
    input.key === undefined
      ? []
      : [
          { path: `${folder}/InRelease`, content: Buffer.from(await input.key.clearsign(release)) },
          { path: `${folder}/Release.gpg`, content: Buffer.from(await input.key.sign(release)) },
        ];
  return [
    ...indexes.map(({ path, content }) => ({ path: `${folder}/${path}`, content })),
    { path: `${folder}/Release`, content: Buffer.from(release) },
    ...signed,
  ];
}

function renderStanza(item: ResolvedPackage): string {
  const stanza = item.entry.endsWith('\n') ? item.entry : `${item.entry}\n`;
  return stanza.replace(/^Filename:.*$/m, () => `Filename: ${aptPackagePath(item)}`);
}

function renderRelease({ sets, suite, label, dateMs }: AptRepositoryInput, indexes: readonly RepositoryFile[]): string {
  const lines = indexes.map(({ path, content }) => {
    const digest = createHash('sha256').update(content).digest('hex');
    return ` ${digest} ${content.length} ${path}`;
  });
  return [
    `Origin: ${label}`,
    `Label: ${label}`,
    `Suite: ${suite}`,
    `Codename: ${suite}`,
    // RFC 1123 with the zone that apt asks for.
    `Date: ${new Date(dateMs).toUTCString().replace('GMT', 'UTC')}`,
    `Architectures: ${[...new Set(sets.map(({ architecture }) => architecture))].join(' ')}`,
    'Components: main',
    // Packages for all architectures are in the index of each.
    'No-Support-for-Architecture-all: Packages',
    'SHA256:',
    ...lines,
    '',
  ].join('\n');
}
