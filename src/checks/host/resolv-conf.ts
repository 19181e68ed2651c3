import type { HostCheck } from '../check.ts';

/** CoreDNS reads the resolv.conf of its node: an address of loopback is itself there, and the query goes round in circles. */
export const resolvConf: HostCheck = {
  id: 'resolv-conf',
  scope: 'host',
  title: 'The nameserver is on loopback',
  severity: 'warning',
  expected: 'nameservers that a pod reaches too, or systemd-resolved with its list of upstream servers',
  remedy:
    'name reachable nameservers in /etc/resolv.conf, or a file that does in spec.kubernetes.kubelet.resolvConf; CoreDNS ends with "Loop detected" otherwise',
  source:
    'CoreDNS, plugin loop: troubleshooting loops in Kubernetes clusters; kubeadm takes the file of systemd-resolved',
  reads: ['resolvConf', 'resolvedConf'],
  run({ facts }, cluster) {
    const onLoopback = facts.nameservers.filter((server) => server.startsWith('127.') || server === '::1');
    const hasUpstream = (facts.upstreamNameservers ?? []).some((server) => !server.startsWith('127.'));
    const isOverridden = typeof cluster.config.spec.kubernetes.kubelet['resolvConf'] === 'string';
    if (onLoopback.length === 0 || hasUpstream || isOverridden) return [];
    return [{ actual: `${onLoopback.join(', ')} in /etc/resolv.conf` }];
  },
};
