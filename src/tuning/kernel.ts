import { isIPv6 } from 'node:net';
import type { Cluster } from '../kubernetes/cluster.ts';
import { neededModules } from '../kubernetes/kernel-modules.ts';
import { fileQuery } from '../ops/query.ts';
import { changes, noChanges } from '../engine/step.ts';
import { customStep } from '../steps/edit-step.ts';
import { fileStep } from '../steps/file-step.ts';
import { kernelModulesStep, kubernetesFeatures, moduleFeatures } from '../steps/kernel-modules-step.ts';
import { sysctlStep, type SysctlSetting } from '../steps/sysctl-step.ts';
import { fileHead, removed, settingsOf, type Tuning } from './tuning.ts';

export const kernelModules: Tuning = {
  id: 'kernel-modules',
  title: 'Kernel modules',
  setting: 'modules',
  byDefault:
    'overlay, br_netfilter and nf_conntrack, ip_vs and its schedulers (rr, wrr, sh) where spec.kubernetes.kubeProxy.mode is ipvs, and nf_conntrack_ipv4 before Linux 4.19; where they are modules and not built in',
  change: 'loads modules, and names them in /etc/modules-load.d/installer.conf for the next boot',
  why: 'containerd lays images over each other with overlay, bridged traffic of pods meets iptables through br_netfilter, and kube-proxy reads the limits of conntrack and needs the modules of its mode',
  source:
    'Kubernetes, "Container runtimes", forwarding IPv4 and letting iptables see bridged traffic; host requirements of the guides, kernel-modules',
  undo: `${removed}; each module that was loaded is unloaded by itself (rmmod), and stays where something uses it`,
  steps(member, cluster) {
    const names = new Set([...neededModules(member, cluster), ...settingsOf(cluster).modules]);
    const known = kubernetesFeatures.map(({ module }) => module);
    const others = [...names].filter((name) => !known.includes(name.replaceAll('-', '_')));
    const features = [...kubernetesFeatures, ...moduleFeatures(others)];
    return [kernelModulesStep('kernel-modules', '/etc/modules-load.d/installer.conf', features)];
  },
};

/** Behind what others number; the file of earlier versions, in front of 99-sysctl.conf, is taken away. */
export const sysctlFile = '/etc/sysctl.d/zz-installer.conf';
export const formerSysctlFile = '/etc/sysctl.d/90-installer.conf';

export const kernelParameters: Tuning = {
  id: 'kernel-parameters',
  title: 'Kernel parameters',
  setting: 'sysctl',
  byDefault:
    'net.ipv4.ip_forward = 1 (net.ipv6.conf.all.forwarding = 1 with IPv6 pods) and net.bridge.bridge-nf-call-{iptables,ip6tables} = 1; at least 8192 fs.inotify.max_user_instances, 524288 fs.inotify.max_user_watches, 262144 vm.max_map_count, 1000000 kernel.keys.root_maxkeys, 25000000 kernel.keys.root_maxbytes; vm.overcommit_memory = 1, vm.panic_on_oom = 0, kernel.panic = 10, kernel.panic_on_oops = 1, net.ipv4.tcp_mtu_probing = 1; the NodePort range in net.ipv4.ip_local_reserved_ports',
  change:
    'writes /etc/sysctl.d/zz-installer.conf and sets the values; limits are only raised, and a value that another file of the host sets stays (the file says so). What Kubernetes cannot do without, and what the cluster file asks for, is set over the other file, which the plan and the file name; a file that is read even later is an error. `sysctl --system` by hand reads /etc/sysctl.conf last of all: at the next boot ours counts again',
  why: 'pods are routed by the host; kubelet refuses hosts that differ where protectKernelDefaults is on; busy nodes run out of inotify instances and of maps; connections to NodePorts fail where the kernel gives such a port away',
  source:
    'Kubernetes, "Container runtimes"; kubelet, setupKernelTunables; host requirements of the guides, "Tuning that the guides ask for"',
  undo: `${removed}, and each value is set to what it was before, unless somebody set it anew`,
  steps: (_, cluster) => [sysctlStep('kernel-parameters', sysctlFile, kernelSettings(cluster), formerSysctlFile)],
};

export const transparentHugepages: Tuning = {
  id: 'transparent-hugepages',
  title: 'Transparent hugepages',
  setting: 'transparentHugepages',
  byDefault: 'left alone',
  change:
    'sets /sys/kernel/mm/transparent_hugepage/enabled, and again at boot by /etc/tmpfiles.d/installer-hugepages.conf',
  why: 'databases such as Redis stall while the kernel builds hugepages',
  source: 'host requirements of the guides, transparent-hugepage',
  undo: `${removed}, and the choice is set to what it was`,
  steps(_, cluster) {
    const wanted = settingsOf(cluster).transparentHugepages;
    if (wanted === undefined) return [];
    const path = '/sys/kernel/mm/transparent_hugepage/enabled';
    const query = fileQuery(path);
    return [
      fileStep({
        id: 'hugepages-at-boot',
        path: '/etc/tmpfiles.d/installer-hugepages.conf',
        content: `${fileHead}w ${path} - - - - ${wanted}\n`,
        mode: '644',
        record: {},
      }),
      customStep('hugepages', [query], (seen) => {
        const answer = seen(query);
        // A kernel without them needs no setting.
        if (answer.state !== 'present') return noChanges;
        const now = /\[(\w+)\]/.exec(answer.value.content ?? '')?.[1];
        if (now === wanted) return noChanges;
        return changes({
          summary: `set transparent hugepages: ${now ?? 'unknown'} -> ${wanted}`,
          actions: [{ kind: 'kernel-values', values: [{ path, value: wanted }], record: true }],
        });
      }),
    ];
  },
  becomes(_, cluster) {
    const wanted = settingsOf(cluster).transparentHugepages;
    return wanted === undefined ? [] : [{ setting: 'transparentHugepages', facts: { transparentHugepages: wanted } }];
  },
};

/** NodePorts of the API server, where nobody gave it others. */
const nodePorts = '30000-32767';

/** Ours, with the user's in their place or behind them. */
export function kernelSettings(cluster: Cluster): SysctlSetting[] {
  const { sysctl } = settingsOf(cluster);
  const hasIpv6 = cluster.config.spec.network.podSubnets.some((subnet) => isIPv6(subnet.split('/')[0] ?? ''));
  const defaults: SysctlSetting[] = [
    { key: 'net.ipv4.ip_forward', value: '1', isRequired: true },
    ...(hasIpv6 ? [{ key: 'net.ipv6.conf.all.forwarding', value: '1', isRequired: true }] : []),
    { key: 'net.bridge.bridge-nf-call-iptables', value: '1', isRequired: true },
    { key: 'net.bridge.bridge-nf-call-ip6tables', value: '1', isRequired: true },
    { key: 'fs.inotify.max_user_instances', value: '8192', raiseOnly: true },
    { key: 'fs.inotify.max_user_watches', value: '524288', raiseOnly: true },
    { key: 'vm.max_map_count', value: '262144', raiseOnly: true },
    { key: 'kernel.keys.root_maxkeys', value: '1000000', raiseOnly: true },
    { key: 'kernel.keys.root_maxbytes', value: '25000000', raiseOnly: true },
    { key: 'vm.overcommit_memory', value: '1' },
    { key: 'vm.panic_on_oom', value: '0' },
    { key: 'kernel.panic', value: '10' },
    { key: 'kernel.panic_on_oops', value: '1' },
    { key: 'net.ipv4.tcp_mtu_probing', value: '1' },
    { key: 'net.ipv4.ip_local_reserved_ports', value: nodePorts, addsPorts: true },
  ];
  const own = Object.entries(sysctl).map(([key, value]): SysctlSetting => ({ key, value: value.trim(), isOwn: true }));
  return [...defaults.filter(({ key }) => !Object.hasOwn(sysctl, key)), ...own];
}
