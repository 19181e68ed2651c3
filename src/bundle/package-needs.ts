import { architectures } from '../artifacts/catalog.ts';
import { findDistro } from '../hosts/distros/index.ts';
import { packagesOfTools, toolsToInstall } from '../kubernetes/needed-tools.ts';
import type { ClusterConfig, OsDistribution } from '../spec/config.ts';
import { repositoryName } from './package-places.ts';

/** A package that a host is told to install, and where that stands written. */
export interface NamedPackage {
  readonly name: string;
  readonly namedBy: string;
}

/** A package that has to be in the repository of a release and architecture. */
export interface PackageNeed extends NamedPackage {
  readonly kind: 'package';
  readonly platform: string;
}

/**
 * What prepare-hosts may have to install on a host of the distribution that has nothing of it: packages of missing tools, those of
 * the cluster file, and what keeps the time. Pure.
 */
export function namedPackages(config: ClusterConfig, { id }: Pick<OsDistribution, 'id'>): readonly NamedPackage[] {
  const { installTools, packages, ntp } = config.spec.hostSettings;
  const distro = findDistro({ id, idLike: [] });
  const tools = toolsToInstall(installTools, distro);
  const ofTools = distro === undefined ? [] : packagesOfTools(distro, tools.length === 0 ? [] : [...tools, 'curl']);
  return [
    ...ofTools.map(({ tool, package: name }) => ({ name, namedBy: `the tool ${tool}, which hosts need` })),
    ...packages.map((name) => ({ name, namedBy: 'spec.hostSettings.packages' })),
    ...(ntp === undefined || distro === undefined
      ? []
      : [{ name: distro.chrony.package, namedBy: 'spec.hostSettings.ntp' }]),
  ];
}

/** What hosts of every distribution of the cluster file ask their repository for. Pure. */
export function packageNeeds(config: ClusterConfig, platforms: readonly string[]): PackageNeed[] {
  return config.spec.osPackages.distributions.flatMap((distribution) =>
    architectures
      .filter((architecture) => platforms.includes(`linux/${architecture}`))
      .flatMap((architecture) =>
        namedPackages(config, distribution).map(({ name, namedBy }): PackageNeed => ({
          kind: 'package',
          name: packageNeedName(name, repositoryName(distribution, architecture)),
          platform: `linux/${architecture}`,
          namedBy,
        })),
      ),
  );
}

/** How a package of a repository is called among needs. */
export function packageNeedName(name: string, repository: string): string {
  return `the package ${name} of ${repository}`;
}
