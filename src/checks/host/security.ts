import { opensFirewall } from '../../kubernetes/firewall-ports.ts';
import { notChecked, type HostCheck } from '../check.ts';
import { willBeDone } from '../mended.ts';

export const selinux: HostCheck = {
  id: 'selinux',
  scope: 'host',
  title: 'SELinux is enforcing',
  severity: 'warning',
  expected: 'disabled or permissive, or a policy for containers (container-selinux)',
  remedy: 'install container-selinux, or set SELINUX=permissive in /etc/selinux/config and run setenforce 0',
  source: 'kubeadm, "Installing kubeadm", Red Hat-based distributions',
  reads: ['selinux', 'containerPolicy'],
  run: ({ facts }) => (facts.selinuxEnforcing && !facts.hasContainerPolicy ? [{ actual: 'enforcing' }] : []),
};

export const firewall: HostCheck = {
  id: 'firewall',
  scope: 'host',
  title: 'A firewall is on',
  severity: 'warning',
  expected: 'none, or one that lets the ports of Kubernetes and of the network plugin pass',
  remedy:
    'turn it off, or open the ports between the hosts: 6443, 2379-2380, 10250, 10256-10259 (TCP), 8472 (UDP, flannel), and forwarding for the pod subnet',
  source: 'Kubernetes, "Ports and protocols"; kubeadm preflight: Firewalld',
  reads: ['units', 'ufw'],
  run(member, cluster) {
    const { firewall: name } = member.facts;
    if (name === undefined) return [];
    const about = (line: string): boolean => line.startsWith(name) || /enabled/i.test(line);
    return [
      {
        actual: `${name} is active`,
        reads: name === 'ufw' ? ['ufw'] : ['units'],
        about,
        ...(opensFirewall(member, cluster) ? willBeOpened : {}),
      },
    ];
  },
};

/** A finding that is over once prepare-hosts has done what the cluster file says. */
export const willBeOpened = { severity: 'info', remedy: willBeDone(['firewall']) } as const;

export const apparmorUos: HostCheck = {
  id: 'apparmor-uos',
  scope: 'host',
  title: 'AppArmor of UOS is on',
  severity: 'error',
  expected:
    'AppArmor off on UOS, whose parser does not take the profile of containerd 1.6.4 and later: off in the kernel, or spec.hostSettings.apparmor is disable and no profile is loaded',
  remedy:
    'set spec.hostSettings.apparmor: disable, which stops it, unloads its profiles and has containerd use none; or add apparmor=0 to the kernel command line yourself and reboot: the installer never changes that line',
  source: 'host requirements: AppArmor on UOS',
  reads: ['apparmor', 'apparmorProfiles', 'osRelease'],
  run({ facts }, cluster) {
    const { os, apparmorEnabled, apparmorProfiles } = facts;
    if (os.id.toLowerCase() !== 'uos' || !apparmorEnabled) return [];
    const isDisabled = cluster.config.spec.hostSettings.apparmor === 'disable';
    if (isDisabled && apparmorProfiles === 0) return [];
    const profiles = apparmorProfiles === undefined ? '' : `, ${apparmorProfiles} profiles loaded`;
    return [{ actual: `enabled${profiles}` }];
  },
};

/** sshd itself is never touched: a mistake there would shut everybody out. */
export const sshdUseDns: HostCheck = {
  id: 'sshd-usedns',
  scope: 'host',
  title: 'sshd looks up the names of those who log in',
  severity: 'warning',
  expected: 'UseDNS no, which is the default of OpenSSH since 6.8',
  remedy: 'set UseDNS no in /etc/ssh/sshd_config and reload sshd: without reverse DNS every login waits for a timeout',
  source: 'sshd_config(5): UseDNS; host requirements',
  reads: ['useDns'],
  run({ facts: { sshdUsesDns, sshdUnreadable } }) {
    if (sshdUsesDns) return [{ actual: 'UseDNS yes', about: (line) => !line.startsWith('unreadable') }];
    if (sshdUnreadable.length === 0) return [];
    return [
      { ...notChecked, actual: `not checked: only root can read ${sshdUnreadable.join(', ')}`, reads: ['useDns'] },
    ];
  },
};
