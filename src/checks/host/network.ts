import { belongsToCluster, isControlPlane } from '../../kubernetes/cluster.ts';
import { inSeconds } from '../../lib/size.ts';
import { notChecked, type HostCheck } from '../check.ts';

/** Source: Kubernetes' documentation, "Ports and protocols". */
const nodePorts = [10248, 10249, 10250, 10256];
const controlPlanePorts = [2379, 2380, 6443, 10257, 10259];

/** Names as the kernel has them: fifteen characters at most. */
const kubernetesProcesses = new Set([
  'kubelet',
  'kube-proxy',
  'kube-apiserver',
  'kube-scheduler',
  'kube-controller',
  'etcd',
]);

export const portsFree: HostCheck = {
  id: 'ports-free',
  scope: 'host',
  title: 'A port of Kubernetes is taken',
  severity: 'error',
  expected: 'no other process listens there',
  remedy: 'stop the process, or move it to another port',
  source: 'Kubernetes, "Ports and protocols"; kubeadm preflight: Port',
  reads: ['listeners'],
  run(member, cluster) {
    if (member.facts.listeners === undefined)
      return [{ actual: 'the listening ports could not be read', severity: 'warning' }];
    const wanted = isControlPlane(member) ? [...nodePorts, ...controlPlanePorts] : nodePorts;
    const taken = member.facts.listeners.filter(({ protocol, port }) => protocol === 'tcp' && wanted.includes(port));
    const isOurs = (process: string | undefined): boolean =>
      belongsToCluster(member, cluster) && kubernetesProcesses.has(process ?? '');
    if (!member.facts.isRoot && taken.length > 0) {
      const ports = [...new Set(taken.map(({ port }) => port))].join(', ');
      return [{ ...notChecked, actual: `not checked: only root sees by whom ports ${ports} are taken` }];
    }
    const ports = new Map(taken.filter(({ process }) => !isOurs(process)).map(({ port, process }) => [port, process]));
    return [...ports].map(([port, process]) => ({
      actual: `port ${port} is held by ${process ?? 'an unknown process'}`,
      about: (line: string) => line.startsWith('tcp') && line.includes(`:${port} `),
    }));
  },
};

export const addressValid: HostCheck = {
  id: 'address-valid',
  scope: 'host',
  title: 'The node address is not on the host',
  severity: 'error',
  expected: 'internalAddress (or address, where none is given) is an address of one of the interfaces',
  remedy: 'set internalAddress in the cluster file to an address of the host',
  source: 'kubelet: --node-ip must be an address of the host',
  reads: ['addresses'],
  run({ facts, nodeAddress }) {
    const found = facts.addresses.find(({ address }) => address === nodeAddress);
    const addresses = facts.addresses.map(({ address, interface: name }) => `${address} (${name})`).join(', ');
    if (found === undefined) return [{ actual: `${nodeAddress} is not among ${addresses}` }];
    return found.interface === 'lo'
      ? [{ actual: `${nodeAddress} is a loopback address`, about: (line) => line.includes(` ${nodeAddress}/`) }]
      : [];
  },
};

/** Without any default route the host network does not reach service addresses. */
export const defaultRoute: HostCheck = {
  id: 'default-route',
  scope: 'host',
  title: 'No default route',
  severity: 'error',
  expected: 'a default route, or one that covers the service subnet',
  remedy:
    'add a default route (a gateway that does not forward will do), or a route for the service subnet to the interface of the node address',
  source: 'kubeadm, "Installing kubeadm": network adapters; kube-proxy needs a route for service addresses',
  reads: ['routes', 'routes6'],
  run({ facts }, cluster) {
    const wanted = new Set(['default', '0.0.0.0/0', '::/0', ...cluster.config.spec.network.serviceSubnets]);
    return facts.routes.some(({ destination }) => wanted.has(destination))
      ? []
      : [{ actual: facts.routes.map(({ destination }) => destination).join(', ') || 'no routes' }];
  },
};

/** kubelet and containerd ask the resolver for every sandbox; one that never answers costs each pod about ten seconds. */
export const resolverAnswers: HostCheck = {
  id: 'resolver-answers',
  scope: 'host',
  title: 'The resolver does not answer at once',
  severity: 'error',
  expected: ({ resolverMs }) => `an answer, also "no such name", within ${inSeconds(resolverMs)}`,
  remedy: 'correct /etc/resolv.conf; on a site without DNS, name an address there that refuses at once',
  source: 'kubelet and containerd ask the resolver for every sandbox',
  reads: ['resolver', 'resolvConf'],
  run({ facts }, cluster) {
    const { resolverMs } = cluster.config.spec.checks.thresholds;
    if (facts.resolverMs === undefined)
      return [{ actual: `no answer within 6 s from ${facts.nameservers.join(', ') || 'no nameserver'}` }];
    if (facts.nameservers.length === 0)
      return [
        {
          actual: '/etc/resolv.conf names no nameserver; CoreDNS would have nobody to ask',
          severity: 'warning',
          reads: ['resolvConf'],
        },
      ];
    return facts.resolverMs > resolverMs
      ? [
          {
            actual: `${(facts.resolverMs / 1000).toFixed(1)} s from ${facts.nameservers.join(', ')}`,
            severity: facts.resolverMs > 4000 ? 'error' : 'warning',
            seen: `${facts.resolverMs} ms`,
          },
        ]
      : [];
  },
};
