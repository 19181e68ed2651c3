import type { Cluster } from '../../kubernetes/cluster.ts';
import { isLoopback } from '../../spec/cidr.ts';
import type { Found, HostCheck } from '../check.ts';

/** Pods get the nameservers and the search list of their node, so what is wrong there is wrong in every pod. */
export const resolvConf: HostCheck = {
  id: 'resolv-conf',
  scope: 'host',
  title: 'The nameserver is on loopback',
  severity: 'warning',
  expected:
    'a nameserver at least, and none on loopback but with the list of upstream servers of systemd-resolved; no search domain that makes names of services of others',
  remedy:
    'name reachable nameservers in /etc/resolv.conf, or a file that does in spec.kubernetes.kubelet.resolvConf; CoreDNS ends with "Loop detected" otherwise',
  source:
    'host requirements; CoreDNS, plugin loop: troubleshooting loops in Kubernetes clusters; kubeadm takes the file of systemd-resolved',
  reads: ['resolvConf', 'resolvedConf'],
  run({ facts }, cluster) {
    // kubelet is given another file then.
    if (typeof cluster.config.spec.kubernetes.kubelet['resolvConf'] === 'string') return [];
    const { nameservers, upstreamNameservers = [] } = facts;
    const hasUpstream = upstreamNameservers.some((server) => !isLoopback(server));
    const onLoopback = nameservers.filter(isLoopback);
    return [
      ...(nameservers.length === 0 && !hasUpstream ? [noNameserver] : []),
      ...(onLoopback.length > 0 && !hasUpstream ? [{ actual: `${onLoopback.join(', ')} in /etc/resolv.conf` }] : []),
      ...shadowing(facts.searchDomains, cluster),
    ];
  },
};

const noNameserver: Found = {
  title: 'There is no nameserver',
  actual: '/etc/resolv.conf is missing, or names no nameserver; CoreDNS would have nobody to ask',
  severity: 'error',
};

/**
 * A pod tries the domain of its cluster and then those of its node. With the cluster's own domain, one below it or one above it
 * there, a name that the cluster does not have becomes one that looks like a service and is looked for elsewhere.
 */
function shadowing(domains: readonly string[], { config }: Cluster): Found[] {
  const own = clusterDomainOf(config.spec.kubernetes.kubelet['clusterDomain']);
  const found = domains.filter((domain) => {
    const name = domain.toLowerCase().replace(/\.$/, '');
    return name !== '' && (name === own || name.endsWith(`.${own}`) || own.endsWith(`.${name}`));
  });
  if (found.length === 0) return [];
  return [
    {
      title: 'A search domain is that of services',
      actual: `search ${found.join(' ')} in /etc/resolv.conf, and the domain of the cluster is ${own}`,
      remedy: 'take the domain out of the search list in /etc/resolv.conf',
      reads: ['resolvConf'],
      about: (line) => /^(search|domain) /.test(line),
    },
  ];
}

function clusterDomainOf(value: unknown): string {
  return typeof value === 'string' ? value.toLowerCase() : 'cluster.local';
}
