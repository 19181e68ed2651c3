import * as z from 'zod';
import { listAssets, readAsset } from '../assets.ts';
import { InstallerError } from '../errors.ts';
import { packageGroups, type PackageGroup } from '../spec/os-packages.ts';
import { parseStrictYaml } from '../spec/strict-yaml.ts';
import type { AptRepository, PackageRequest, RpmRepository, Trust } from './types.ts';

const names = z.array(z.string().min(1)).min(1);
const common = { distributions: z.array(z.string()).min(1), groups: z.record(z.enum(packageGroups), names) };
const url = z.string().regex(/^https?:\/\/\S+[^/]$/, { error: 'must be a URL without a slash at its end' });

const schema = z.strictObject({
  apiVersion: z.literal('installer.io/v1alpha1'),
  kind: z.literal('PackageCatalog'),
  metadata: z.strictObject({ name: z.string().min(1) }),
  spec: z.discriminatedUnion('family', [
    z.strictObject({
      ...common,
      family: z.literal('apt'),
      /** By VERSION_ID of os-release. */
      releases: z.record(z.string(), z.strictObject({ codename: z.string() })),
      repositories: z.array(
        z.strictObject({
          url,
          /** {codename} is filled in. */
          suites: z.array(z.string()).min(1),
          components: z.array(z.string()).min(1),
          /** All where absent. */
          architectures: z.array(z.enum(['amd64', 'arm64'])).optional(),
        }),
      ),
    }),
    z.strictObject({ ...common, family: z.literal('rpm'), repositories: z.array(z.strictObject({ url })) }),
  ]),
});

export type PackageCatalog = z.output<typeof schema>;

/** All catalogs of offline/packages/. */
export function loadPackageCatalogs(): PackageCatalog[] {
  return listAssets('offline/packages/').map((path) =>
    parseStrictYaml(schema, readAsset(path), path, 'PACKAGE_CATALOG_INVALID'),
  );
}

/** A distribution's packages, as a person or a cluster file asks for them. */
export interface PackageQuestion {
  /** ID and VERSION_ID of os-release. */
  readonly id: string;
  readonly versionId: string;
  readonly architecture: 'amd64' | 'arm64';
  readonly groups: readonly PackageGroup[];
  /** Further names. */
  readonly names: readonly string[];
  readonly trust: Trust;
  /** Instead of the catalog's repositories: a mirror, or where the catalog has none. */
  readonly repositories?: { readonly apt?: readonly AptRepository[]; readonly rpm?: readonly RpmRepository[] };
  readonly nowMs: number;
}

/** The request for a distribution and release. Throws PACKAGES_UNKNOWN_DISTRIBUTION, and PACKAGES_NO_REPOSITORY where it has to be told. */
export function packageRequest(catalogs: readonly PackageCatalog[], question: PackageQuestion): PackageRequest {
  const { id, versionId, architecture, nowMs, trust } = question;
  const catalog = catalogs.find(({ spec }) => spec.distributions.includes(id))?.spec;
  if (catalog === undefined) {
    throw new InstallerError({
      code: 'PACKAGES_UNKNOWN_DISTRIBUTION',
      message: `it is not known what packages ${id} ${versionId} needs`,
      remedy: `known are ${catalogs.flatMap(({ spec }) => spec.distributions).join(', ')}`,
    });
  }
  const wanted = [...new Set([...question.groups.flatMap((group) => catalog.groups[group]), ...question.names])];
  const base = { architecture, names: wanted, nowMs };
  if (catalog.family === 'rpm') {
    const own = catalog.repositories.map((repository) => ({ ...repository, trust }));
    const repositories = refuseNone(question.repositories?.rpm ?? own, question);
    // Repositories of a distribution are named after its major version; where not, the URL that is given says so.
    return { ...base, family: 'rpm', release: versionId.split('.')[0] ?? versionId, repositories };
  }
  const codename = catalog.releases[versionId]?.codename;
  const own = catalog.repositories
    .filter(({ architectures }) => codename !== undefined && (architectures?.includes(architecture) ?? true))
    .flatMap(({ url: at, suites, components }) =>
      suites.map((suite) => ({ url: at, suite: suite.replace('{codename}', codename ?? ''), components, trust })),
    );
  return { ...base, family: 'apt', repositories: refuseNone(question.repositories?.apt ?? own, question) };
}

function refuseNone<T>(repositories: readonly T[], { id, versionId }: PackageQuestion): readonly T[] {
  if (repositories.length > 0) return repositories;
  throw new InstallerError({
    code: 'PACKAGES_NO_REPOSITORY',
    message: `no package repository of ${id} ${versionId} is known`,
    remedy: 'name the repositories that its packages are to be taken from',
  });
}
