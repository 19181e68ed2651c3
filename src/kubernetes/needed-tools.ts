import type { Distro } from '../hosts/distros/index.ts';
import type { HostSettingsConfig } from '../spec/config.ts';
import { willPrepare, type Cluster, type Member } from './cluster.ts';
import { needsCurl } from './host-servers.ts';
import { distroOf, packageManagerOf } from './host-distro.ts';

/** Tools that the phases, kubeadm and kubelet cannot do without. */
export const requiredTools = [
  ...['tar', 'ip', 'ss', 'iptables', 'mount', 'nsenter', 'modprobe', 'sysctl', 'swapoff', 'flock', 'sha256sum'],
  ...['systemd-run', 'xargs', 'diff', 'timeout'],
] as const;

/** Tools that port-forward and some network plugins need. */
export const recommendedTools = ['conntrack', 'ethtool', 'socat', 'tc'] as const;

/** Those of all hosts, and what a distribution lacks that its guides ask for. */
export function requiredToolsOf(distro: Distro | undefined): readonly string[] {
  return [...requiredTools, ...(distro?.moreTools ?? [])];
}

/** Tools that prepare-hosts sees to, by hostSettings.installTools; curl or wget beside them. */
export function toolsToInstall(
  installTools: HostSettingsConfig['installTools'],
  distro: Distro | undefined,
): readonly string[] {
  if (installTools === 'none') return [];
  return [...requiredToolsOf(distro), ...(installTools === 'all' ? [...recommendedTools, 'ebtables', 'ipset'] : [])];
}

/** The packages of a distribution that bring the tools; what every host of it has is left out. */
export function packagesOfTools(distro: Distro, tools: readonly string[]): ToolPackage[] {
  return tools.flatMap((tool) => {
    const name = distro.toolPackages[tool];
    return name === undefined ? [] : [{ tool, package: name }];
  });
}

export interface ToolPackage {
  readonly tool: string;
  readonly package: string;
}

/** Of the tools that a host lacks, those that prepare-hosts installs, with their packages. */
export function installableTools(member: Member, cluster: Cluster): ToolPackage[] {
  const wanted = cluster.config.spec.hostSettings.installTools;
  const distro = distroOf(member);
  const { tools } = member.facts;
  if (wanted === 'none' || !willPrepare(cluster) || distro === undefined || packageManagerOf(member) === undefined)
    return [];
  const names = toolsToInstall(wanted, distro).filter((tool) => !tools.has(tool));
  return packagesOfTools(
    distro,
    tools.has('curl') || (tools.has('wget') && !needsCurl(cluster)) ? names : [...names, 'curl'],
  );
}
