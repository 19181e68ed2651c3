import type { HostCheck } from '../check.ts';

export const selinux: HostCheck = {
  id: 'selinux',
  scope: 'host',
  title: 'SELinux is enforcing',
  severity: 'warning',
  expected: 'disabled or permissive, or a policy for containers (container-selinux)',
  remedy: 'install container-selinux, or set SELINUX=permissive in /etc/selinux/config and run setenforce 0',
  source: 'kubeadm, "Installing kubeadm", Red Hat-based distributions',
  run: ({ facts }) => (facts.selinuxEnforcing ? [{ actual: 'enforcing' }] : []),
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
  run: ({ facts }) => (facts.firewall === undefined ? [] : [{ actual: `${facts.firewall} is active` }]),
};
