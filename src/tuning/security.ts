import { interfaceOf, type Cluster, type Member } from '../kubernetes/cluster.ts';
import { portsOf } from '../kubernetes/firewall-ports.ts';
import { firewallUnits, openPortsSteps, ufwOffStep, type OpenPortsInput } from '../steps/firewall-steps.ts';
import { unloadProfilesStep } from '../steps/apparmor-step.ts';
import { selinuxStep } from '../steps/selinux-step.ts';
import { unitsOffStep } from '../steps/unit-off-step.ts';
import { settingsOf, type Tuning } from './tuning.ts';

export const firewall: Tuning = {
  id: 'firewall',
  title: 'Firewall',
  setting: 'firewall',
  byDefault: '`leave`',
  change:
    'with `open`: a service of firewalld in the zone of the interface, with the networks of pods and services in the trusted zone; or rules of ufw. With `disable`: firewalld, nftables and iptables services are stopped and do not start at boot, and ufw is disabled by its own command',
  why: 'hosts of a cluster reach each other at the ports of the API server, etcd, kubelet, NodePorts and of the network plugin, and pods are forwarded',
  source: 'Kubernetes, "Ports and protocols"; kubeadm preflight: Firewalld; host requirements of the guides, firewall',
  undo: 'with `open`: the files of the firewall are put back and it reads them. With `disable`: each service is enabled and started again that was, and ufw loads its rules',
  steps(member, cluster) {
    const { firewall: wanted } = settingsOf(cluster);
    if (wanted === 'leave') return [];
    if (wanted === 'disable') return [unitsOffStep('firewall', firewallUnits), ufwOffStep('ufw')];
    return openPortsSteps(member.facts.firewall, { id: 'firewall', ...openingOf(member, cluster) });
  },
};

/** What must pass through the firewall of a host. */
export function openingOf(member: Member, cluster: Cluster): Omit<OpenPortsInput, 'id'> {
  const { podSubnets, serviceSubnets } = cluster.config.spec.network;
  return {
    ports: portsOf(member, cluster),
    networks: [...podSubnets, ...serviceSubnets],
    interface: interfaceOf(member),
  };
}

export const selinux: Tuning = {
  id: 'selinux',
  title: 'SELinux',
  setting: 'selinux',
  byDefault: '`leave`',
  change: 'no longer enforces, now and by /etc/selinux/config; `disabled` is complete after a reboot',
  why: 'without a policy for containers, pods cannot read the files of their host',
  source: 'kubeadm, "Installing kubeadm", Red Hat-based distributions; host requirements of the guides, selinux',
  undo: 'the mode is what it was, in the file and in the kernel; a kernel that booted without SELinux needs a reboot for it',
  steps(_, cluster) {
    const mode = settingsOf(cluster).selinux;
    return mode === 'leave' ? [] : [selinuxStep('selinux', mode)];
  },
  becomes: (_, cluster) =>
    settingsOf(cluster).selinux === 'leave' ? [] : [{ setting: 'selinux', facts: { selinuxEnforcing: false } }],
};

export const apparmor: Tuning = {
  id: 'apparmor',
  title: 'AppArmor',
  setting: 'apparmor',
  byDefault: '`leave`',
  change:
    'stops the service and does not start it at boot, unloads the profiles that the kernel has loaded, and has containerd use none (disable_apparmor). The kernel command line is never changed: where apparmor=0 has to stand there, that is yours to do',
  why: 'on UOS, containerd 1.6.4 and later start no container while AppArmor is on',
  source: 'host requirements of the guides, apparmor-uos',
  undo: 'the service is enabled and started again if it was, and loads the profiles of its files; those of other programs are loaded by them',
  steps: (_, cluster) =>
    settingsOf(cluster).apparmor === 'leave'
      ? []
      : [unitsOffStep('apparmor', ['apparmor.service']), unloadProfilesStep('apparmor-profiles')],
  becomes: (_, cluster) =>
    settingsOf(cluster).apparmor === 'leave' ? [] : [{ setting: 'apparmor', facts: { apparmorProfiles: 0 } }],
};
