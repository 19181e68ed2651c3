import type { Cluster, Member } from './cluster.ts';

/** What kube-proxy needs for IPVS beside nf_conntrack; the one that the others need stands first. */
const ipvsModules = ['ip_vs', 'ip_vs_rr', 'ip_vs_wrr', 'ip_vs_sh'] as const;

/** Beside overlay, br_netfilter and nf_conntrack, what a host of this cluster needs of its kernel. */
export function neededModules(member: Member, cluster: Cluster): readonly string[] {
  const isIpvs = cluster.config.spec.kubernetes.kubeProxy['mode'] === 'ipvs';
  return [...(hasConntrackIpv4(member.facts.kernel) ? ['nf_conntrack_ipv4'] : []), ...(isIpvs ? ipvsModules : [])];
}

/** Until 4.19, and 4.18 of RHEL 8, the part of conntrack for IPv4 was a module of its own. */
function hasConntrackIpv4(kernel: string): boolean {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(kernel)?.map(Number) ?? [];
  if (major === undefined || minor === undefined) return false;
  return (major < 4 || (major === 4 && minor < 19)) && !/^4\.18\..*\.el8/.test(kernel);
}
