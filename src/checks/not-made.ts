/** A requirement of other guides that no check here looks at. */
export interface NotMade {
  /** The ids that checks of it would have. */
  readonly ids: readonly string[];
  /** Why there is none, and what is there in its place. */
  readonly why: string;
}

/** Shown in docs/checks.md, so that nobody takes silence for a pass. */
export const notMade: readonly NotMade[] = [
  {
    ids: ['ssh-reachable', 'ssh-auth'],
    why: 'a host that cannot be reached or logged in to is an error of its own in the same report, with the reason that SSH gives',
  },
  {
    ids: ['address-unique'],
    why: 'a rule of the cluster file: two hosts with one internal address, or one address and SSH port, are refused, with line and column, before any host is asked',
  },
  {
    ids: ['registry-reachable'],
    why: 'only a pull tells whether address, mirror, certificate and login fit together, and a host that has the images needs none; the images that kubeadm init needs are pulled before it runs',
  },
  {
    ids: ['ip-in-ip'],
    why: 'flannel, the only network plugin that is installed, uses VXLAN, and `ports-open` probes its port',
  },
  {
    ids: ['gpu-present'],
    why: 'the cluster file declares no GPU hosts, so there is nothing to compare the PCI devices with',
  },
  {
    ids: ['check-timeout'],
    why: 'no requirement of a host: each host has a deadline, and one that does not meet it is an error of its own in the same report',
  },
];
