import { belongsToCluster } from '../../kubernetes/cluster.ts';
import { parseCidr } from '../../spec/cidr.ts';
import type { Found, HostCheck } from '../check.ts';

/** prepare-hosts turns forwarding on; told is where it cannot, and where it is off on a node that runs. */
export const ipForward: HostCheck = {
  id: 'ip-forward',
  scope: 'host',
  title: 'Packets of pods are not forwarded',
  severity: 'error',
  expected:
    'forwarding for each IP family of the pod subnets, or that it can be turned on; on a node of this cluster that it is on',
  remedy: 'sysctl -w net.ipv4.ip_forward=1 (net.ipv6.conf.all.forwarding=1); cluster-create does it',
  source: 'Kubernetes, "Container runtimes": enable IPv4 packet forwarding; host requirements',
  reads: ['ipForward'],
  run(member, cluster) {
    const families = cluster.config.spec.network.podSubnets.flatMap((text) => parseCidr(text)?.family ?? []);
    return families.flatMap((family): Found[] => {
      const found = member.facts.forwarding.get(family);
      const about = (line: string): boolean => line.startsWith(`${family} `);
      if (found === undefined || found.state === 'on') return [];
      if (found.state === 'none')
        return [
          {
            actual: `the kernel has no IPv${family}`,
            remedy: `boot without ipv6.disable=1, or take the subnets of IPv${family} out of spec.network`,
            about,
          },
        ];
      if (member.facts.isRoot && found.isFixed)
        return [
          {
            actual: `forwarding of IPv${family} is off, and /proc/sys is read-only`,
            remedy: 'let the host (a container?) write to /proc/sys, or turn forwarding on from outside',
            about,
          },
        ];
      return belongsToCluster(member, cluster)
        ? [{ actual: `forwarding of IPv${family} is off`, severity: 'warning', about }]
        : [];
    });
  },
};
