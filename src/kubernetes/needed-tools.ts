import type { Cluster, Member } from './cluster.ts';
import { distroOf, packageManagerOf } from './host-distro.ts';

/** Tools that the phases, kubeadm and kubelet cannot do without. */
export const requiredTools = [
  ...['tar', 'ip', 'ss', 'iptables', 'mount', 'nsenter', 'sysctl', 'swapoff', 'flock', 'sha256sum'],
  ...['systemd-run', 'xargs', 'diff', 'timeout'],
] as const;

/** Tools that port-forward and some network plugins need. */
export const recommendedTools = ['conntrack', 'ethtool', 'socat', 'tc'] as const;

export interface ToolPackage {
  readonly tool: string;
  readonly package: string;
}

/** Of the tools that a host lacks, those that prepare-hosts installs, with their packages. */
export function installableTools(member: Member, cluster: Cluster): ToolPackage[] {
  const wanted = cluster.config.spec.hostSettings.installTools;
  const distro = distroOf(member);
  const { tools } = member.facts;
  if (wanted === 'none' || distro === undefined || packageManagerOf(member) === undefined) return [];
  const names: string[] = [...requiredTools, ...(wanted === 'all' ? [...recommendedTools, 'ebtables', 'ipset'] : [])];
  if (!tools.has('curl') && !tools.has('wget')) names.push('curl');
  return names
    .filter((tool) => !tools.has(tool))
    .flatMap((tool) => {
      const name = distro.toolPackages[tool];
      return name === undefined ? [] : [{ tool, package: name }];
    });
}
