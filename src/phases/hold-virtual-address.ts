import type { HostPhase } from '../engine/phase.ts';
import { InstallerError } from '../errors.ts';
import { firstControlPlane, virtualInterfaceOf, type Cluster } from '../kubernetes/cluster.ts';
import { apiEndpoint } from '../kubernetes/kubeadm-config.ts';
import { virtualAddressStep } from '../kubernetes/virtual-address-step.ts';
import { formatEndpoint } from '../spec/formats.ts';

/** The control plane holds the virtual address before kubeadm init has everybody look for the API server there. */
export const holdVirtualAddress: HostPhase<Cluster> = {
  scope: 'host',
  id: 'hold-virtual-address',
  title: 'Hold the virtual address',
  timeoutSeconds: 180,
  hosts: (cluster) => [firstControlPlane(cluster).host],
  steps(host, cluster) {
    const member = firstControlPlane(cluster);
    const virtual = cluster.config.spec.kubernetes.virtualAddress;
    const name = virtualInterfaceOf(member, cluster);
    if (virtual !== undefined && name === undefined)
      throw new InstallerError({
        code: 'INTERFACE_UNKNOWN',
        host: host.name,
        message: `no interface has the node address ${member.nodeAddress}, so it is not known where ${virtual.address} belongs`,
        remedy: 'give spec.kubernetes.virtualAddress.interface, or correct internalAddress of the host',
      });
    return [
      virtualAddressStep({
        held: virtual === undefined || name === undefined ? undefined : { address: virtual.address, interface: name },
        endpoint: formatEndpoint(apiEndpoint(cluster.config, member.nodeAddress)),
      }),
    ];
  },
};
